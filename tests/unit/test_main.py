"""One program: which role or command a command line names."""

import os
import signal
import subprocess
import sys

import pytest

from lbaas import main
from lbaas.cli import app


def test_the_usage_lists_every_command_that_there_is() -> None:
    built = app.build(None)
    groups = {group.name for group in built.registered_groups}
    commands = {
        command.name or command.callback.__name__
        for command in built.registered_commands
        if command.callback
    }
    assert groups | commands == set(main.COMMANDS)


@pytest.mark.parametrize("word", sorted(main.COMMANDS))
def test_a_command_is_built_by_itself(
    word: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["lbaas", word, "--help"])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 0
    assert f"lbaas {word}" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "code"), [(["--help"], 0), ([], 2), (["nix"], 2)])
def test_who_names_no_command_is_shown_them(
    arguments: list[str],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["lbaas", *arguments])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == code
    said = capsys.readouterr()
    assert "node-agent" in (said.err if code else said.out)


def test_help_is_written_without_a_library() -> None:
    script = "import sys; from lbaas import main; main._usage(); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"typer", "rich", "pydantic", "httpx", "sqlalchemy"} & set(loaded)


def test_a_client_needs_neither_server_nor_agents() -> None:
    script = "import sys; from lbaas.cli.app import build; build(None); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"fastapi", "sqlalchemy", "pyroute2", "yaml"} & set(loaded)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("la", ["lab"]), ("address", ["address-pool"]), ("pool set x --scheduler w", ["wrr", "wlc"])],
)
def test_a_shell_completes_commands_roles_and_values(
    typed: str,
    offered: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = f"lbaas {typed}"
    monkeypatch.setenv("_LBAAS_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    monkeypatch.setattr(sys, "argv", ["lbaas"])
    with pytest.raises(SystemExit):
        main.main()
    assert capsys.readouterr().out.split() == offered


def test_the_first_process_of_a_container_can_be_stopped_while_it_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(os, "getpid", lambda: 1)
    try:
        main._heed_termination()
        with pytest.raises(SystemExit) as ended:
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 0
