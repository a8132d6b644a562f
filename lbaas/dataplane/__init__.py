"""The agents' hands: one package per subsystem, each ``desired`` · ``observe`` · ``plan`` · ``apply``.

``desired`` and ``plan`` are pure; ``observe`` and ``apply`` alone speak to kernel and BIRD.
"""
