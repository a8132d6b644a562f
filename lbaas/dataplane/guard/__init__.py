"""The hosts' nftables table: who may send through the tunnel, and how large a segment may be."""
