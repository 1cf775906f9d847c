"""Many machines: which node watches which camera, and the lease that gives a camera to one node only."""
