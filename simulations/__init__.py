"""Other bodies for the same node: virtual time, simulated network, faults, checkers."""
