"""The whole datacentre on one machine: a VIP is asked for, carries packets, and outlives a node.

``story`` does things to a site and yields what it found as ``facts``; ``judge`` says what of it holds;
``show`` draws it. Only ``story`` and ``gather`` touch the lab, so every figure shown was read from it.
"""
