"""Causes: from an error text, and from events, to what went wrong, why, and what to do.

Refuses to touch the machine: texts, catalogue, state and counts arrive as values.
"""
