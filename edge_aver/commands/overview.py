"""What `edge-aver --help` shows: the same words as the first page of the documentation (docs/index.md)."""

from typing import Any

from typer.core import TyperGroup

__all__ = ["EPILOG", "EXAMPLES", "INTRODUCTION", "SECTIONS", "Overview"]

INTRODUCTION = """
Takes a trained audiovisual emotion recognition network from PyTorch to engine files on a device, and measures what the
trip cost: accuracy with intervals, latency, memory and size.

Everything lies in a workspace (--workspace, or EDGE_AVER_WORKSPACE, or ./workspace). Each command finds there what the
one before it left, and takes --help.
"""

SECTIONS: dict[str, dict[str, str]] = {
    "Try it": {
        "demo": "The whole line on made-up actors; or a page to drop clips on.",
    },
    "Prepare and train": {
        "prepare": "Cut faces and audio features out of every clip.",
        "train": "Train an architecture on a fold by the paper's protocol.",
    },
    "Export and ship": {
        "export": "Turn a checkpoint into engines, compared at every step.",
        "build": "On a device: build the engines of a kit and verify them.",
        "bundle": "Pack artifacts and a golden clip into one file.",
        "verify": "Check an artifact, or replay a bundle's golden clip.",
    },
    "Run": {
        "run": "Recognise a clip, or a stream window by window.",
    },
    "Measure and decide": {
        "benchmark": "Measure accuracy, latency and memory, here or over ssh.",
        "sweep": "Train, export and measure a grid of networks.",
        "compare": "Judge what one costs beside another; a gate for CI.",
        "report": "Write results as one page that opens offline.",
    },
    "This machine": {
        "targets": "What can be built, and what works here.",
        "doctor": "What is installed, and what to install.",
    },
}
"""Commands in the order of work: by section, each with its one line."""

EXAMPLES = """
edge-aver demo
edge-aver export --arch sa --precision int8
edge-aver benchmark --suite quick
"""

EPILOG = f"""
Examples:

\b
{"".join(f"  {line}{chr(10)}" for line in EXAMPLES.split(chr(10)) if line)}
Exit status: 0 done, 1 an error in one line, 2 wrong usage, 3 a gate failed, 4 a gate could not decide, 130 interrupted.

Completion: eval "$(edge-aver --show-completion bash)"; also zsh and fish.

The guide begins with docs/index.md (make docs builds it); README.md is its short form.
"""


class Overview(TyperGroup):
    """The commands by section, for the help alone; one that stands in no section comes last."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the sections, all with the same first column."""
        width = max(map(len, self.commands))
        placed = {name for commands in SECTIONS.values() for name in commands}
        others = {name: self.commands[name].get_short_help_str(60) for name in self.commands if name not in placed}
        for title, commands in (SECTIONS | {"Others": others} if others else SECTIONS).items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), text) for name, text in commands.items()])
