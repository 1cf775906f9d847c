"""Cameras that fail on command, and the clips they play. Loopback only."""
