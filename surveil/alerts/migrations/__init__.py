"""One SQL file per schema version, applied in order, each in a transaction of its own."""
