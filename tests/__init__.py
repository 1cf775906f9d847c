"""Tests of surveil."""
