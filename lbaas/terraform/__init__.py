"""The Terraform provider, made from the client's table of kinds like the command line; an extra of its own."""
