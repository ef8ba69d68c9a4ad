"""Deciding together: this node's part in proposals, ballots and their closing."""
