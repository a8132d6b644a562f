"""The use cases: what may be done, by whom, and what must hold afterwards."""
