"""What hypothesis does in all tests: the same examples in each run, without a deadline.

A change is judged by what it changed, not by luck: with ``LBAAS_EXPLORE=1`` the examples are new in each run.
"""

import os

from hypothesis import settings

settings.register_profile("repeated", deadline=None, derandomize=True)
settings.register_profile("explored", deadline=None)
settings.load_profile("explored" if os.environ.get("LBAAS_EXPLORE") else "repeated")
