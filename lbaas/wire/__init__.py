"""The documents that server and agents both speak. No I/O."""
