"""Learning and judging off-line: collect footage's features, learn a model, evaluate it on labelled footage, deploy it.

Thin functions that take paths and return dataclasses; the command line prints them. What looks at the
frames is the same code that the daemon runs.
"""
