"""Settings, read once at start from the environment (prefix ``LBAAS_``) and the command line."""
