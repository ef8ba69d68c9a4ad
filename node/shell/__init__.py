"""How this node touches the world. Executes effects, reports events, decides nothing."""
