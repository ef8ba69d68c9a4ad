"""What this node knows of others: the records it holds and whom it compares them with."""
