"""A second place: everything arrives there, whatever happens in between."""
