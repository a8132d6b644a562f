"""What ``--check`` makes of findings."""

from rich.console import Console

from lbaas.agent.capabilities import Finding, Trial, _try
from lbaas.agent.check import render
from lbaas.errors import StepFailed, ToolMissing


def failing(error: Exception) -> Trial:
    def attempt() -> None:
        raise error

    return Trial("IPVS", "nothing is balanced", attempt)


def test_what_works_is_good() -> None:
    assert _try(Trial("IPVS", "nothing is balanced", lambda: None)).good


def test_a_trial_that_fails_is_found_with_its_cause() -> None:
    for error, cause in (
        (StepFailed("ipvs", "CreateService", "0x1/v4", "no such scheduler"), "no such scheduler"),
        (ToolMissing("the kernel has no IPVS"), "the kernel has no IPVS"),
        (PermissionError(1, "Operation not permitted"), "[Errno 1] Operation not permitted"),
    ):
        assert _try(failing(error)) == Finding("IPVS", "nothing is balanced", cause)


def test_a_person_reads_what_is_missing_and_what_that_means() -> None:
    console = Console(width=120)
    with console.capture() as shown:
        console.print(
            render(
                [
                    Finding("nftables", "no marks"),
                    Finding("IPVS", "nothing is balanced", "no module"),
                ]
            )
        )
    lines = [" ".join(line.split()) for line in shown.get().splitlines()]
    assert "ok nftables" in lines
    assert "missing IPVS no module; without it nothing is balanced" in lines
