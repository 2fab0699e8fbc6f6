"""The `backsight` command's frame: lazy, fast to import, one sentence an error."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Callable

import click
import pytest

import flows.cli as cli
from flows.cli.submit import NAMES
from tasks.errors import DataError, UsageError


def failing_command(error: BaseException) -> click.Command:
    @click.command()
    def fail() -> None:
        raise error

    return fail


def command_of(name: str) -> click.Command | None:
    return cli.root.get_command(click.Context(cli.root), name)


FailWith = Callable[[BaseException], None]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def fail_with(monkeypatch: pytest.MonkeyPatch) -> FailWith:
    def install(error: BaseException) -> None:
        monkeypatch.setattr(cli, "probe", failing_command(error), raising=False)
        monkeypatch.setitem(cli.COMMANDS, "probe", ("flows.cli:probe", "Fails."))

    return install


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("No preset huge: did you mean large?"), 2, "error: No preset huge: did you mean large?\n"),
        (DataError("Shard 3 is\ntruncated."), 1, "error: Shard 3 is truncated.\n"),
        (KeyError("x"), 1, "error: KeyError: 'x' (run again with --debug for the traceback)\n"),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "no/plan.png"),
            1,
            "error: no/plan.png cannot be used: No such file or directory (run again with --debug for the traceback)\n",
        ),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
    ],
)
def test_an_error_is_one_line_and_a_code(
    fail_with: FailWith, capsys: Capture, error: BaseException, code: int, line: str
) -> None:
    fail_with(error)
    assert cli.invoke(["probe"]) == code
    assert capsys.readouterr().err.lstrip() == line


def test_a_full_disk_is_named(fail_with: FailWith, capsys: Capture) -> None:
    fail_with(OSError(errno.ENOSPC, "No space left on device", "/data/shard"))
    assert cli.invoke(["probe"]) == 1
    assert capsys.readouterr().err.startswith("error: No space is left on the disk that holds /data/shard")


@pytest.mark.parametrize("argv", [["--debug", "probe"], ["probe", "--debug"]])
def test_debug_shows_the_traceback_before_the_sentence(fail_with: FailWith, capsys: Capture, argv: list[str]) -> None:
    fail_with(DataError("Shard 3 is truncated."))
    assert cli.invoke(argv) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("Traceback")
    assert lines[-1] == "error: Shard 3 is truncated."


@pytest.mark.parametrize("argv", [["no-such"], ["status", "--no-such"], ["--no-such"]])
def test_a_wrong_call_is_one_line_and_code_2(capsys: Capture, argv: list[str]) -> None:
    assert cli.invoke(argv) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: No such")
    assert len(captured.err.splitlines()) == 1


def test_help_lists_every_command_without_importing_one(capsys: Capture) -> None:
    probe = "import sys, flows.cli as c; c.invoke(['--help']); print([m for m in sys.modules if 'flows.cli.' in m])"
    page = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout
    assert all(f"\n  {name} " in page for name in cli.COMMANDS)
    assert page.endswith("[]\n")


def test_every_entry_of_the_table_is_a_command() -> None:
    assert all(isinstance(command_of(name), click.Command) for name in cli.COMMANDS)


def test_help_says_what_can_be_run(capsys: Capture) -> None:
    assert cli.invoke(["run", "--help"]) == 0
    page = capsys.readouterr().out
    assert "run [OPTIONS] NAME" in page and all(f"`{name}`" in page for name in NAMES)


@pytest.mark.parametrize("group", [n for n in cli.COMMANDS if isinstance(command_of(n), click.Group)])
def test_no_line_of_a_groups_help_is_cut_off(capsys: Capture, group: str) -> None:
    assert cli.invoke([group, "--help"]) == 0
    assert "..." not in capsys.readouterr().out.split("Commands:")[1]


def test_importing_the_command_loads_neither_torch_nor_prefect() -> None:
    probe = "import sys, flows.cli, flows.cli.stack; print({'torch', 'prefect', 'mlflow', 'minio'} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout
    assert loaded == "set()\n"
