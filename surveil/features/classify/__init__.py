"""Your own classifiers, at run time."""
