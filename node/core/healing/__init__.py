"""What to do about symptoms: plan, guard, ask, act, verify, undo, learn.

Refuses to touch anything but this node's own components by itself; whatever else is told to people, with
the exact command and how to undo it.
"""
