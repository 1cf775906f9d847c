"""The commands that train and judge classifiers. Called by the command line alone."""
