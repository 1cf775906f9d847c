"""Training by clicks: data sets, crops, the training that runs, and what came of it. Imported by its first request."""
