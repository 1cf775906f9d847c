"""Training by clicks. What learns and runs classifiers is imported by the first request, not with the console."""
