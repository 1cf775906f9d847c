"""Optional features: each folder holds its settings, analyser, rules and what else belongs to it.

Features do not import each other.
"""
