"""Many machines: which node watches which camera, and the lease that keeps a camera single."""
