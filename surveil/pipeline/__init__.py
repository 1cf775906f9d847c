"""The stages around the engine: prepare → detect → analyse → commit, each one class with `process` and `run`.

`process` does the work and is all that a replay calls; `run` is the thread's loop around it.
"""
