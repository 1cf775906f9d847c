"""Training by clicks. The code that learns and runs classifiers is imported by the first request."""
