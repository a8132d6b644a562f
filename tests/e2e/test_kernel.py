"""The laws of the data plane on a real kernel: ``tests/kernel``, run on a machine of the lab."""

import sys
from pathlib import Path

import pytest

from lbaas.lab.controller import Lab

KERNEL_TESTS = Path(__file__).parents[1] / "kernel"


# A minute on a quiet machine, several on a busy one.
@pytest.mark.timeout(900)
def test_the_laws_hold_on_a_real_kernel() -> None:
    with Lab.start() as lab:
        ran = lab.run(
            "backend1",
            [sys.executable, "-m", "pytest", str(KERNEL_TESTS), "-p", "no:cacheprovider"],
            env={
                "LBAAS_INSIDE_LAB": "1",
                "HYPOTHESIS_STORAGE_DIRECTORY": str(lab.directory("backend1")),
            },
            timeout_s=800,
        )
    print(ran.stdout)
    assert ran.status == 0, ran.stderr
