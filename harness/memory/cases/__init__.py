"""One file per public memory problem; `harness.memory.case` says what a case consists of."""
