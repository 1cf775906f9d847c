"""Training by clicks: data sets, crops, the running training and its result. Imported by its first request."""
