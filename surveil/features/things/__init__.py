"""Things that were put down or taken away."""
