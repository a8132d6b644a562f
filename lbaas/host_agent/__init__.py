"""The agent of a backend host: tunnel, VIP alias, ARP and rp_filter settings, segment size."""
