import pytest

from lbaas.errors import ToolMissing
from lbaas.lab import machine
from lbaas.lab.kernel import build
from lbaas.lab.machine import Place


@pytest.mark.parametrize("wanted", [Place.HOST, Place.GUEST])
def test_the_environment_overrides_where_the_lab_runs(
    wanted: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(machine.PLACE_VARIABLE, wanted.value)

    assert machine.place() is wanted


@pytest.mark.parametrize(
    ("uid", "lacks", "expected"),
    [
        (0, (), Place.HOST),
        (0, ("ip_vs",), Place.GUEST),
        (1000, (), Place.GUEST),
    ],
)
def test_only_root_on_a_kernel_with_the_data_path_needs_no_guest(
    uid: int, lacks: tuple[str, ...], expected: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(machine.PLACE_VARIABLE, raising=False)
    monkeypatch.setattr("os.geteuid", lambda: uid)
    monkeypatch.setattr(machine, "kernel_lacks", lambda: lacks)

    assert machine.place() is expected


def test_a_missing_program_is_named_with_the_package_that_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "find_program", lambda name: None if name == "bird" else "/bin/x")

    with pytest.raises(ToolMissing, match=r"bird \(.*\): apt-get install bird2"):
        machine.demand()


def test_a_missing_compiler_is_named_before_anything_is_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lacking = ("gcc", "bc")
    monkeypatch.setattr(build, "find_program", lambda name: None if name in lacking else "/bin/x")

    with pytest.raises(ToolMissing, match="apt-get install bc gcc libc6-dev"):
        build.check_tools()
