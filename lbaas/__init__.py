"""Layer-4 load balancing as a service with Direct Server Return."""

__version__ = "0.1.0"
