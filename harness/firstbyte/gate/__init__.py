"""Runs the gate: builds both sides, launches interleaved pairs, applies the policy, reports.

The rule itself is `firstbyte.gate.verdicts`, free of clocks and processes.
"""
