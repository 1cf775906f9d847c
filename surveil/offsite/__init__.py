"""The second place: copies of evidence and recordings that are safe when the machine is stolen.

Files are copied once they are whole, by one thread, from a queue on disk. Imported only where a second place is set.
"""
