"""IPVS virtual services keyed by firewall mark."""
