"""`surveil check --probe`: what every part of a configuration really does here, all parts side by side.

Nothing is changed: no alert is made, no file is written, and a daemon that runs is not disturbed.
"""
