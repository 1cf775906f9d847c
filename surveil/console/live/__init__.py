"""Live pictures, tracks, events and states in one stream for each page."""
