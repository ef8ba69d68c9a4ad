"""What this node decides for itself. Events in, effects out; no clock, chance, file or socket."""
