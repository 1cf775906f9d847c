"""Learned normality: what is usual in front of one camera, and how surely something is not.

Small luma planes go in (`SceneNormality.observe`), tail probabilities with a place, an attribute and
words come out. Everything is per location and in physical time, the model is a bounded set of sums,
and the threshold follows from a budget of alarms a day. Nothing here reads a clock or does I/O except
`modelfile` and `store`, which read and write the model.
"""
