"""Recording: the cameras' own packets on disk, in files that play, with an index of what is there.

One thread writes for all cameras (`recorder`); captures hand packets over and never wait (`tap`). Imported only where
a camera records.
"""
