"""A whole datacentre on one machine, for trying changes: client, router, nodes, backends."""
