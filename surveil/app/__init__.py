"""Assembles the daemon: the only package that knows all concrete classes."""
