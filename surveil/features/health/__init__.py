"""Picture health: is what a camera shows still worth looking at?"""
