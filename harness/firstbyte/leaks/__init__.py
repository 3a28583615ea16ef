"""Leak or not: runs the leak scenario for each backend and judges the series that it gives.

To read in this order: `slopes` (one series), `stacks` and `accumulation` (what else a verdict rests
on), `rules` (the verdict), `effort` (how many scans), `investigation` (one backend, step by step), `check` (a
whole `firstbyte leaks`). `corpus` makes the files, `captures` reads memray's, `kept` is what stays on
disk, `terminal` what is shown. What the scenario hands over is `firstbyte.worker.leak_series`.
"""
