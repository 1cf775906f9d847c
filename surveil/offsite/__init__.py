"""A second place for evidence and recordings: what is taken with the machine is there already.

Files are copied once they are whole, by one thread, from a queue on disk. Imported only where a second place is set.
"""
