"""Devices and the addresses on them."""
