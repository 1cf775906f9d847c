"""Damaged databases, models, descriptions and configurations: the daemon watches, and what is intact is not lost."""
