"""Picture health: whether the picture of a camera is usable."""
