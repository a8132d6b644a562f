"""The tenants' and operators' command line, made from the client's table of kinds and their models."""
