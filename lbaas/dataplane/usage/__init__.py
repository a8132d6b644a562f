"""The nftables table that counts what flows, by VIP or listener and by the clients' prefixes."""
