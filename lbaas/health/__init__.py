"""Health checks on a node: who is checked, how, what the answers mean, and what follows from them."""
