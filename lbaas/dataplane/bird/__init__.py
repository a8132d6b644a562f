"""The BIRD include file that a node owns."""
