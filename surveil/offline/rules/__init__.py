"""Evaluation of rules: recordings with labelled events, beside what the daemon would alert on them."""
