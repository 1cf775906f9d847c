"""The commands that learn and judge what is normal. Called by the command line alone."""
