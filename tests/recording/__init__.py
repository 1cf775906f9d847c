"""Recording: what is written plays, whatever happens while it is."""
