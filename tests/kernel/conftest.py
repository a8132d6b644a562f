"""Tests that change the kernel they run on: only ever inside a namespace of the lab.

``tests/e2e/test_kernel.py`` starts a lab and runs them there.
"""

import os

import pytest


def pytest_configure() -> None:
    if not os.environ.get("LBAAS_INSIDE_LAB"):
        pytest.exit("tests/kernel changes the kernel: run tests/e2e/test_kernel.py", returncode=4)
