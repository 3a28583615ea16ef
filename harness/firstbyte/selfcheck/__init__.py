"""The harness tried on faults of known class and size: `memory` (leak check, ledgers) and `gate`.

It stands above `leaks` and `gate`, which know nothing of it; certificates are read by `of_host`.
"""
