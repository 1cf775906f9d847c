"""Evaluation of rules: the alerts of the daemon on recordings, compared with labelled events."""
