"""Rules on labelled recordings and on drawn ones: `python -m benchmarks.rules`."""
