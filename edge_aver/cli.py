"""The `edge-aver` command: its subcommands put together, and the exit status of what they raise."""

import os
import signal
import sys
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer

from edge_aver import __version__
from edge_aver.commands import artifacts, benchmark, corpora, demo, installed, results, run, sweep
from edge_aver.commands.completion import SHELLS, completion_script, enable_completion
from edge_aver.commands.overview import EPILOG, INTRODUCTION, Overview
from edge_aver.commands.own_options import SplitCommand
from edge_aver.containment import contained
from edge_aver.errors import EdgeAverError

__all__ = ["app", "main"]

app = typer.Typer(
    name="edge-aver",
    cls=Overview,
    help=INTRODUCTION,
    epilog=EPILOG,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

enable_completion()

# typer carries click inside it: its exceptions are reached through the one that typer exports.
_UsageError, _ClickException = typer.BadParameter.__mro__[1:3]
_INTERRUPTED = 130

_OF_STRANGERS = ("run", "verify")
"""Commands that decode or load in their own process what somebody else may have made; `prepare` has workers for it."""


def main() -> NoReturn:
    """Run the command line; a person's mistake ends in one line on standard error and its exit status."""
    signal.signal(signal.SIGTERM, _interrupt)
    arguments = sys.argv[1:]
    if arguments[:1] and arguments[0] in _OF_STRANGERS:
        sys.exit(contained(lambda: _run(arguments), f"edge-aver {' '.join(arguments)}"))
    sys.exit(_run(arguments))


def _run(arguments: list[str]) -> int:
    try:
        status = int(app(arguments, prog_name="edge-aver", standalone_mode=False) or 0)
        if status == _INTERRUPTED:  # what typer makes of Ctrl-C
            raise KeyboardInterrupt
        return status
    except EdgeAverError as error:
        return _fail(str(error), error.exit_status)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted; nothing half-written is left, and what was finished is kept", _INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output went away; a second failure while flushing would only add noise.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _fail(f"{error.filename or 'file system'}: {error.strerror or error}", 1)
    except Exception as error:
        if isinstance(error, _ClickException):
            return _fail_usage(error)
        raise


def _fail(message: str, status: int) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return status


def _fail_usage(error: Any) -> int:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "edge-aver"
    return _fail(f"{error.format_message()} (see {command} --help)", 2)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    show_completion: Annotated[
        str | None,
        typer.Option("--show-completion", metavar="|".join(SHELLS), help="Print what completes it in a shell."),
    ] = None,
) -> None:
    if version:
        print(f"edge-aver {__version__}")
    elif show_completion is not None:
        print(completion_script(show_completion))
    elif context.invoked_subcommand is None:
        print(context.get_help())


for _command in (
    demo.demo,
    corpora.prepare,
    corpora.train,
    artifacts.export,
    artifacts.build,
    artifacts.bundle,
    artifacts.verify,
    run.run,
    benchmark.benchmark,
    sweep.sweep,
    results.compare,
    results.report,
    installed.targets,
    installed.doctor,
):
    app.command(cls=SplitCommand if _command is artifacts.export else None)(_command)
