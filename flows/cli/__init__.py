"""The `backsight` command: a table of lazily loaded sub-commands, and the one place where errors become sentences."""

from __future__ import annotations

import errno
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

import click

from tasks.errors import BacksightError

COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("flows.cli.stack:up", "Start (or heal) the local stack; returns when every service answers."),
    "down": ("flows.cli.stack:down", "Stop the local stack; its data stays."),
    "status": ("flows.cli.stack:status", "Show the services of the local stack, their addresses and health."),
    "deploy": ("flows.cli.run:deploy", "Register the deployments: one a stage, night and monitor with schedules."),
    "plan": ("flows.cli.plan:plan", "Show what a night, or a preset's network, would take before anything runs."),
    "run": ("flows.cli.run:run", "Submit a night or a stage, and watch it if asked to."),
    "watch": ("flows.cli.watch:watch", "Watch a run that was submitted before."),
    "cancel": ("flows.cli.watch:cancel", "End a run and all that it has launched."),
    "predict": ("flows.cli.predict:predict", "Say where a film's keyframes lie in its current view."),
    "view": ("flows.cli.view:view", "Write one episode as a contact sheet and a Rerun recording."),
    "scene": ("flows.cli.view:scene", "Draw the plan of a building, and views into its rooms."),
    "export": ("flows.cli.export:export", "Write a dataset in the format of others (LeRobot)."),
    "report": ("flows.cli.report:report", "Print the label statistics of a dataset, or how much buildings differ."),
    "bench": ("flows.cli.bench:bench", "Measure a part on this machine: rendering, labels, training and others."),
    "monitor": ("flows.cli.monitor:monitor", "Say why the platform did or did not train again; replay histories."),
    "lineage": ("flows.cli.lineage:lineage", "Trace an artefact back to its seeds and forward to the verdicts."),
    "gc": ("flows.cli.gc:gc", "Remove what nothing names any more: a plan first, then for good."),
    "rollback": ("flows.cli.rollback:rollback", "Make a former champion the champion again, and say why."),
    "demo": ("flows.cli.run:demo", "Start the stack, run one whole night, show what came of it."),
}
"""Name -> (`module:command`, one line of help). The module is imported when its command runs, not before."""

INTERRUPTED = 130

MORE = "run again with --debug for the traceback"


class LazyGroup(click.Group):
    """A group that imports a sub-command's module only when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command behind a name, with `--debug` added to it."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        return accept_debug(getattr(import_module(module), attribute))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The help page's list, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def debug_option() -> click.Option:
    """`--debug`, understood before and after the sub-command's name."""
    return click.Option(["--debug"], is_flag=True, expose_value=False, callback=note_debug, help="Show tracebacks.")


def note_debug(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    """Remember at the root of the invocation that tracebacks are wanted."""
    memory = ctx.find_root().ensure_object(dict)
    memory["debug"] = value or memory.get("debug", False)


def accept_debug(command: click.Command) -> click.Command:
    """The command (and, for a group, each of its own) with the `--debug` option, added once."""
    if "--debug" not in {name for parameter in command.params for name in parameter.opts}:
        command.params.append(debug_option())
    if isinstance(command, click.Group):
        for child in command.commands.values():
            accept_debug(child)
    return command


root = LazyGroup("backsight", params=[debug_option()], help="Collect, check, train, evaluate, promote: the whole loop.")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code: 0, 1 for a failure, 2 for a wrong call."""
    sys.exit(invoke(argv))


def invoke(argv: Sequence[str] | None = None) -> int:
    """Run the command line; an error is printed as one line on stderr and returned as an exit code."""
    memory = {"debug": False}
    try:
        outcome = root.main(argv, prog_name="backsight", standalone_mode=False, obj=memory)
    except (KeyboardInterrupt, click.Abort):
        return complain("interrupted", INTERRUPTED)
    except click.exceptions.NoArgsIsHelpError as call:
        click.echo(call.ctx.get_help())
        return 0
    except click.ClickException as wrong:
        return complain(wrong.format_message(), wrong.exit_code)
    except Exception as failure:  # noqa: BLE001  the border of the program: what is not caught here is a traceback
        if memory["debug"]:
            traceback.print_exception(failure)
        return complain(*sentence(failure))
    return outcome if isinstance(outcome, int) else 0


def sentence(failure: Exception) -> tuple[str, int]:
    """What to tell a person about an error, and the exit code it means."""
    if isinstance(failure, BacksightError):
        return str(failure), failure.exit_code
    if isinstance(failure, OSError) and failure.errno == errno.ENOSPC:
        place = failure.filename or "the disk in use"
        return f"No space is left on the disk that holds {place}: free some, then run the command again.", 1
    if isinstance(failure, OSError) and failure.filename:
        return f"{failure.filename} cannot be used: {failure.strerror} ({MORE})", 1
    text = " ".join(str(failure).split()) or "no message"
    return f"{type(failure).__name__}: {text} ({MORE})", 1


def complain(message: str, code: int) -> int:
    """Print one line on stderr, and give the code back."""
    click.echo(f"error: {' '.join(message.split())}", err=True)
    return code
