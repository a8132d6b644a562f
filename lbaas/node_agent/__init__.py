"""The agent of a load-balancer node: VIP addresses, sysctls, IPVS, marks, and BIRD."""
