"""The gate: is the head worse than the base, by pairs of processes that are measured now?

To read in this order: `trials` (what judges one metric, fed pairs: `paired`, `steady`, `growth`) and
`verdicts` (all of them: the rule), free of clocks and processes; `metrics` and `policy` (what is judged,
how strictly); `cases`, `figures` and `observe` (what a process gives); `pairs`, `tuning` and `cores` (how
two run beside each other); `run` (the loop), and what it points out: `unseen`, `blind`, `hostwatch`; `sides`
(what is compared), made of `sources` (trees out of git) and their `needs`; `baselines` (stored sizes in the
place of a base); `workshop` (what commands call). A result is shown by the files in `outputs`.
"""
