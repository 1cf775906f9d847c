"""The synthetic scene of `surveil demo` and the tests: a fixed camera, drawn by the package itself.

Nothing here is photographed or downloaded. The figures are close enough to people for the default
detector to find them (see tests/demo), and where they walk is known exactly, so that the same clips
serve as test footage with ground truth.
"""
