"""`surveil check --probe`: tries every part of a configuration on this machine, all parts in parallel.

Nothing is changed: no alert is made, no file is written, and a daemon that runs is not disturbed.
"""
