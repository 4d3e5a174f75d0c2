"""An artifact on disk: what a build left for a target, and the JSON sidecar that makes it complete."""

import json
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from edge_aver.declarations import parse
from edge_aver.errors import ArtifactError, DeclarationError
from edge_aver.files import atomic_directory, atomic_path, json_text, sha256_file
from edge_aver.spec import ModelSpec

__all__ = [
    "KIT_SUFFIX",
    "Artifact",
    "FileEntry",
    "choose_artifacts",
    "find_artifacts",
    "open_artifact",
    "part_path",
    "read_artifact",
    "remove_artifact",
    "sidecar_path",
    "write_artifact",
]

KIT_SUFFIX = ".kit"
"""Of a folder that a device builds its engines from (`edge_aver.bundle.kit`)."""

_SCHEMA_VERSION = 1

Choice = str | Collection[str] | None
"""One name, several, or None for any."""


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """Size and SHA-256 of one file of an artifact."""

    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """What runs on a target, and what is known of it.

    Attributes:
        path: the file (`.onnx`, `.engine`) or folder (`.openvino`) that the runtime opens.
        target: name of the device profile it was built for.
        runtime: name of the runtime that opens it.
        precision: name of the recipe that was asked for.
        spec: the network's ModelSpec.
        files: every file of the artifact by its name relative to `path` (the file's own name for a single file).
        parity: the ladder's steps from the checkpoint to this artifact, in order.
        build: seconds, tools and remarks of the build.
        part: `clip` for the whole network; `frame_encoder` or `fusion` where it was built in two.
    """

    path: Path
    target: str
    runtime: str
    precision: str
    spec: ModelSpec
    files: Mapping[str, FileEntry] = field(default_factory=dict)
    parity: tuple[Mapping[str, Any], ...] = ()
    build: Mapping[str, Any] = field(default_factory=dict)
    part: str = "clip"

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        return sum(entry.bytes for entry in self.files.values())


def sidecar_path(path: Path) -> Path:
    """Where the sidecar of the artifact at `path` stands: beside it, `.json` appended to the whole name."""
    return path.with_name(path.name + ".json")


def part_path(whole: Path, part: str) -> Path:
    """Where a part of the network stands beside the whole: `<stem>.frame_encoder.engine`."""
    return whole.with_name(f"{whole.name.removesuffix(whole.suffix)}.{part}{whole.suffix}")


@contextmanager
def write_artifact(artifact: Artifact, *, folder: bool) -> Iterator[Path]:
    """Give a temporary path to build at; on a clean exit put it in place and write the sidecar last.

    An artifact counts from the moment its sidecar stands: a reader between the two renames finds hashes that do not
    match, never an older sidecar with newer files that it would accept. The new sidecar is written before either
    rename, so that a disk that fills up leaves the older artifact as it was.

    Args:
        artifact: everything but `files`, which are read off what was built.
        folder: whether the artifact is a folder of files or one file.
    """
    with (
        atomic_path(sidecar_path(artifact.path)) as sidecar,
        (atomic_directory if folder else atomic_path)(artifact.path) as temporary,
    ):
        yield temporary
        sidecar.write_text(_sidecar_text(replace(artifact, files=_entries(temporary))), encoding="utf-8")


def open_artifact(path: Path) -> Artifact:
    """Read the sidecar of an artifact and check every file against it.

    Raises:
        ArtifactError: no such artifact, no sidecar (an interrupted build), an unreadable sidecar, or a file that is
            missing or changed.
    """
    artifact = read_artifact(path)
    for name, entry in artifact.files.items():
        member = path / name if path.is_dir() else path
        if not member.is_file():
            raise ArtifactError(f"{member}: missing from the artifact; export it again")
        if member.stat().st_size != entry.bytes or sha256_file(member) != entry.sha256:
            raise ArtifactError(f"{member}: not the file its sidecar describes (changed or truncated); export it again")
    return artifact


def find_artifacts(
    folder: Path,
    *,
    architecture: Choice = None,
    precision: Choice = None,
    target: Choice = None,
    corpus: Choice = None,
    fold: int | None = None,
    kits: bool = False,
) -> tuple[Artifact, ...]:
    """Complete artifacts in `folder` that match what is given, newest first; their files are not yet checked.

    Parts of a network that was built in two are not among them: a clip takes both.

    Args:
        folder: where exports write; it may not exist yet.
        architecture: one, several, or None for any.
        precision: the same.
        target: the same.
        corpus: the same.
        fold: its number, or None for any.
        kits: whether kits count too, which no runtime opens.

    Raises:
        ArtifactError: a sidecar that cannot be read.
    """
    found = []
    for sidecar in folder.glob("aver-*.json"):
        path = sidecar.with_suffix("")
        if path.exists() and (kits or path.suffix != KIT_SUFFIX):
            artifact = read_artifact(path)
            asked = (
                (architecture, artifact.spec.architecture),
                (precision, artifact.precision),
                (target, artifact.target),
                (corpus, artifact.spec.corpus),
            )
            if artifact.part != "clip" or fold not in (None, artifact.spec.fold):
                continue
            if all(_matches(choice, value) for choice, value in asked):
                found.append((sidecar.stat().st_mtime_ns, artifact))
    return tuple(artifact for _, artifact in sorted(found, key=lambda item: (-item[0], item[1].path.name)))


def choose_artifacts(
    folder: Path,
    *,
    architecture: Choice = None,
    precision: Choice = None,
    target: Choice = None,
    corpus: Choice = None,
    fold: int | None = None,
    kits: bool = False,
) -> tuple[Artifact, ...]:
    """As `find_artifacts`, where a person asked for them: none is an error.

    Raises:
        ArtifactError: none matches; what is there is listed.
    """
    asked_for = {"architecture": architecture, "precision": precision, "target": target, "corpus": corpus}
    found = find_artifacts(folder, **asked_for, fold=fold, kits=kits)
    if not found:
        if unbuilt := find_artifacts(folder, **asked_for, fold=fold, kits=True):
            raise ArtifactError(
                f"{unbuilt[0].path} is a kit: its engines are built on the device, by edge-aver build there or by "
                "edge-aver benchmark --host user@device here"
            )
        words = [word for choice in asked_for.values() for word in _words(choice)]
        asked = " ".join(words + ([f"fold {fold}"] if fold is not None else [])) or "any"
        have = ", ".join(artifact.path.name for artifact in find_artifacts(folder)) or "none"
        raise ArtifactError(f"no artifact in {folder} matches {asked} (there: {have}); make one with edge-aver export")
    return found


def _words(choice: Choice) -> list[str]:
    return [choice] if isinstance(choice, str) else list(choice or ())


def _matches(choice: Choice, value: str) -> bool:
    return choice is None or value == choice or (not isinstance(choice, str) and value in choice)


def remove_artifact(path: Path) -> None:
    """Remove an artifact, its sidecar first, so that an interruption leaves none that looks complete."""
    sidecar_path(path).unlink(missing_ok=True)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sidecar_text(artifact: Artifact) -> str:
    table = asdict(artifact) | {"schema_version": _SCHEMA_VERSION}
    del table["path"]
    return json_text(table)


def read_artifact(path: Path) -> Artifact:
    """Read the sidecar of an artifact; its files are not checked.

    Raises:
        ArtifactError: no such artifact, no sidecar (an interrupted build), or one that cannot be read.
    """
    if not path.exists():
        raise ArtifactError(f"{path}: no such artifact; make one with edge-aver export")
    sidecar = sidecar_path(path)
    try:
        table = json.loads(sidecar.read_text(encoding="utf-8"))
        if table["schema_version"] != _SCHEMA_VERSION:
            raise ValueError(f"schema_version {table['schema_version']!r}, this edge-aver reads {_SCHEMA_VERSION}")
        spec = ModelSpec.from_dict(table["spec"])
        known = {item.name for item in fields(_Sidecar)} & table.keys()
        told = parse(_Sidecar, {name: table[name] for name in known}, where="sidecar")
        if not told.files or not all(map(_is_inside, told.files)):
            raise ValueError("it lists no files, or files elsewhere")
        return Artifact(path=path, spec=spec, **vars(told))
    except FileNotFoundError as error:
        raise ArtifactError(
            f"{path}: has no sidecar {sidecar.name} (an unfinished export?); export it again"
        ) from error
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, DeclarationError) as error:
        raise ArtifactError(f"{sidecar}: not a sidecar that can be read ({error}); export it again") from error


@dataclass(frozen=True, kw_only=True)
class _Sidecar:
    """What a sidecar must hold besides the spec; what it holds more is of no use to this version."""

    target: str
    runtime: str
    precision: str
    files: Mapping[str, FileEntry]
    parity: tuple[Mapping[str, Any], ...]
    build: Mapping[str, Any]
    part: str = "clip"


def _is_inside(name: str) -> bool:
    """Whether a file's name leads to no other place than the artifact's own."""
    return name.isprintable() and not name.startswith("/") and ".." not in name.split("/")


def _entries(path: Path) -> dict[str, FileEntry]:
    members = [path] if path.is_file() else sorted(item for item in path.rglob("*") if item.is_file())
    return {
        member.name if path.is_file() else member.relative_to(path).as_posix(): FileEntry(
            bytes=member.stat().st_size, sha256=sha256_file(member)
        )
        for member in members
    }
