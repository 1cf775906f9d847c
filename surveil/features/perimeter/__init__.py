"""Perimeter: anything that moves on its own path through a zone that must be empty."""
