"""Options that several subcommands share, and the checks of what is given for them."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from edge_aver.cluster import ADDRESS
from edge_aver.declarations import shipped_names
from edge_aver.spec import ARCHITECTURES, Preprocessing

__all__ = [
    "ANY_ARCH",
    "ARCH",
    "ARCHS_BEGUN",
    "CORPORA_BEGUN",
    "CORPUS",
    "CPU_TARGETS",
    "GATE",
    "GATES_BEGUN",
    "PRECISION",
    "PRECISIONS",
    "PRECISIONS_BEGUN",
    "SUITE",
    "SUITES",
    "SUITES_BEGUN",
    "TARGET",
    "TARGETS_BEGUN",
    "WORKSPACE",
    "AnyArchFilter",
    "ArchFilter",
    "ArchOption",
    "ClusterOption",
    "CorpusOption",
    "FoldOption",
    "HostOption",
    "JsonOption",
    "KeyOption",
    "MissingOption",
    "ModalityOption",
    "PrecisionOption",
    "TargetOption",
    "TargetsOption",
    "ThreadsOption",
    "WorkersOption",
    "WorkspaceOption",
    "beginning_with",
    "one_of",
    "refuse",
    "refuse_for",
    "split_counts",
    "split_modalities",
]

_MOST_MISSING = Preprocessing().frames - 1
CPU_TARGETS = ("openvino-cpu", "onnxruntime-cpu")


def one_of(
    what: str, known: Callable[[], tuple[str, ...]], *, toml: bool = False, own: re.Pattern[str] | None = None
) -> Callable[[Any], Any]:
    """A callback that refuses unknown names and lists the known ones.

    `toml` also takes a path to a declaration, `own` names of a person's own.
    """

    def check(value: Any) -> Any:
        for name in [value] if isinstance(value, str) else value or []:
            if name not in known() and not (toml and name.endswith(".toml")) and not (own and own.fullmatch(name)):
                raise typer.BadParameter(f"unknown {what} {name!r}; known: {', '.join(known())}")
        return value

    return check


def beginning_with(known: Callable[[], tuple[str, ...]]) -> Callable[[str], list[str]]:
    """What a shell offers for a value that was begun: those of the known names that go on like it."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in known() if name.startswith(incomplete)]

    return complete


def split_modalities(values: list[str] | None) -> list[str]:
    """`both,audio` and options given several times alike."""
    from edge_aver.benchmarks.conditions import MODALITIES

    names: list[str] = [name.strip() for value in values or () for name in value.split(",")]
    one_of("modality", lambda: MODALITIES)(names)
    return names


def split_counts(values: list[str] | None) -> list[str]:
    """Likewise for whole numbers from 1 to 14."""
    counts = [count.strip() for value in values or () for count in value.split(",")]
    for count in counts:
        if not (count.isascii() and count.isdigit() and 1 <= int(count) <= _MOST_MISSING):
            raise typer.BadParameter(f"{count!r}; expected how many faces are missing, 1 to {_MOST_MISSING}")
    return counts


def refuse(what: str, options: dict[str, object]) -> None:
    """Refuse options that something else takes."""
    for name, value in options.items():
        if value is not None:
            raise typer.BadParameter(f"{name} is not for {what}: leave it out")


def refuse_for(what: str, options: Mapping[str, object]) -> None:
    """Refuse options that were given and do not go with a suite or an option."""
    for name, value in options.items():
        if value:
            raise typer.BadParameter(f"{name} does not go with {what}: leave it out")


def _check_cluster(value: str | None) -> str | None:
    if value is not None and not ADDRESS.fullmatch(value):
        raise typer.BadParameter(f"{value!r}; expected the scheduler's address, tcp://HOST:8786 or tls://HOST:8786")
    return value


def _names(folder: str) -> Callable[[], tuple[str, ...]]:
    return lambda: shipped_names(folder)


_CORPORA = ("ravdess", "crema-d", "manifest", "composite", "synthetic")
_GATES = ("accuracy", "speed")

ARCH = one_of("architecture", lambda: ARCHITECTURES)
ANY_ARCH = one_of("architecture", lambda: ARCHITECTURES, own=re.compile("[a-z0-9]+(-[a-z0-9]+)*"))
PRECISION = one_of("precision", _names("export/recipes"))
TARGET = one_of("target", _names("targets/devices"), toml=True)
SUITE = one_of("suite", _names("benchmarks/suites"), toml=True)
GATE = one_of("gate", lambda: _GATES)
CORPUS = one_of("corpus", lambda: _CORPORA)

ARCHS_BEGUN = beginning_with(lambda: ARCHITECTURES)
PRECISIONS_BEGUN = beginning_with(_names("export/recipes"))
TARGETS_BEGUN = beginning_with(_names("targets/devices"))
SUITES_BEGUN = beginning_with(_names("benchmarks/suites"))
GATES_BEGUN = beginning_with(lambda: _GATES)
CORPORA_BEGUN = beginning_with(lambda: _CORPORA)

PRECISIONS = ", ".join(shipped_names("export/recipes"))
SUITES = ", ".join(shipped_names("benchmarks/suites"))

WorkspaceOption = Annotated[
    Path,
    typer.Option("--workspace", envvar="EDGE_AVER_WORKSPACE", help="Folder of clips, checkpoints, artifacts, results."),
]
ArchOption = Annotated[
    str,
    typer.Option("--arch", callback=ARCH, autocompletion=ARCHS_BEGUN, metavar="ca|id|sa", help="Architecture."),
]
FoldOption = Annotated[int | None, typer.Option("--fold", min=1, help="Subject-independent fold, from 1.")]
CorpusOption = Annotated[
    str | None, typer.Option("--corpus", autocompletion=CORPORA_BEGUN, help="Corpus of the checkpoint.")
]
TargetsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--target", callback=TARGET, autocompletion=TARGETS_BEGUN, help="Device profile; may be given several times."
    ),
]
WorkersOption = Annotated[int | None, typer.Option("--workers", min=1, help="Processes; one a core by default.")]
ThreadsOption = Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads of the runtime.")]
ModalityOption = Annotated[
    list[str] | None,
    typer.Option("--modality", callback=split_modalities, metavar="both,audio,visual", help="What the network gets."),
]
MissingOption = Annotated[
    list[str] | None,
    typer.Option("--missing-faces", callback=split_counts, metavar="K", help="K of the 15 faces blacked out."),
]
ClusterOption = Annotated[
    str | None,
    typer.Option("--cluster", callback=_check_cluster, metavar="tcp://HOST:PORT", help="Workers of a Dask scheduler."),
]
HostOption = Annotated[
    str | None, typer.Option("--host", metavar="USER@DEVICE", help="Measure on another machine, over ssh.")
]
JsonOption = Annotated[str | None, typer.Option("--json", metavar="PATH|-", help="Result as JSON; - prints it.")]

KeyOption = Annotated[
    Path | None, typer.Option("--key", metavar="PUB", help="Of a bundle: public key that must have signed it, PEM.")
]
TargetOption = Annotated[
    str | None, typer.Option("--target", callback=TARGET, autocompletion=TARGETS_BEGUN, help="Device profile.")
]
PrecisionOption = Annotated[
    str | None,
    typer.Option("--precision", autocompletion=PRECISIONS_BEGUN, help="Of the artifact; the newest by default."),
]
ArchFilter = Annotated[
    str | None,
    typer.Option("--arch", callback=ARCH, autocompletion=ARCHS_BEGUN, metavar="ca|id|sa", help="Architecture."),
]
AnyArchFilter = Annotated[
    str | None,
    typer.Option(
        "--arch", callback=ANY_ARCH, autocompletion=ARCHS_BEGUN, metavar="ca|id|sa|NAME", help="Architecture."
    ),
]

WORKSPACE = Path("workspace")
