"""One file per public memory problem; `firstbyte.cases.case` says what a case consists of."""
