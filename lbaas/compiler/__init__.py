"""Rows of one cluster, as records, to what its nodes and backend hosts must hold. Pure."""
