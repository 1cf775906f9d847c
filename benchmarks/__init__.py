"""What the documentation claims, measured. Each module is a command: `python -m benchmarks.NAME`."""
