"""Runs the gate: builds both sides, launches interleaved pairs, applies the policy, reports.

The rule itself is `harness.analysis.gate`, free of clocks and processes.
"""
