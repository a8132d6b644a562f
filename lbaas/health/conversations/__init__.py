"""What probes say and what answers mean: bytes in, bytes out, no sockets."""
