"""Left and removed objects."""
