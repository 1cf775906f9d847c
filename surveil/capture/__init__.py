"""Brings pictures in: sources (network, file, webcam) behind one protocol, and the loop that keeps them open.

A source is opened, read and closed on one thread; decoded pictures are posted without converting them.
"""
