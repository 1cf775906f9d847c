"""Analysis of the small brightness plane, before any detector.

Where something moves, which crops are worth a look, whether the picture is healthy, and what was left
or taken away. Pure: planes and times in, values out; no threads, no clocks, no I/O.
"""
