"""The command that judges rules. Called by the command line alone."""
