"""Capture against files and the failing camera of the rig."""
