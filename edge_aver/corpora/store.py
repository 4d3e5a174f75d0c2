"""The prepared store: the tensors of a corpus in a folder, one file a clip, with what they were made of and how."""

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_aver.console import say
from edge_aver.corpora.ravdess import SourceClip
from edge_aver.errors import CorpusError
from edge_aver.files import json_text, write_bytes, write_text
from edge_aver.locks import sweep
from edge_aver.spec import LABELS, Preprocessing

__all__ = [
    "ClipRecord",
    "PackedClip",
    "PreparedClip",
    "PreparedStore",
    "pack_clip_tensors",
    "store_name",
    "tensors_digest",
    "write_clip_tensors",
]

_FORMAT = 1
_SOURCES = {
    "ravdess": " --data DIR",
    "crema-d": " --data DIR",
    "synthetic": "",
    "composite": " --speech DIR --faces ZIP",
}
"""What `edge-aver prepare` must be told of a corpus besides its name; a corpus of any other name is a manifest."""

_DAMAGE = (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error)
"""What numpy and zipfile raise for files that are cut short, overwritten or something else altogether."""


@dataclass(frozen=True, kw_only=True)
class ClipRecord:
    """What a prepared clip is, without its tensors.

    Attributes:
        id: names the clip within the store.
        label: index into the labels of the store.
        actor: from 1.
        source: absolute path of the media file it was made of; of a composite clip, its recording.
        source_sha256: of that file's bytes, and of all else the clip was made of but start and end.
        tensors_sha256: over faces, audio and face_found, see `tensors_digest`.
        faces_found: in how many frames a face was found.
        start_s: where in the media file the clip begins.
        end_s: where it ends there; None at the end of the file.
    """

    id: str
    label: int
    actor: int
    source: Path
    source_sha256: str
    tensors_sha256: str
    faces_found: int
    start_s: float = 0.0
    end_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class PreparedClip:
    """A prepared clip: `faces` (15, 224, 224, 3) uint8, `audio` (15, 128) float32, `face_found` (15,) bool.

    `relabelled` tells that its file holds a label that is no longer one of the store's.
    """

    record: ClipRecord
    faces: npt.NDArray[np.uint8]
    audio: npt.NDArray[np.float32]
    face_found: npt.NDArray[np.bool_]
    relabelled: bool = False


@dataclass(frozen=True, kw_only=True)
class PreparedStore:
    """A folder of prepared clips, all made with one front end and one set of constants.

    Attributes:
        folder: holds `store.json` and `clips/<id>.npz`.
        corpus: where the clips came from.
        preprocessing: the constants they were made with.
        front_end: the name of what made them.
        labels: of the corpus, in the order of the logits of a network that learns from it.
    """

    folder: Path
    corpus: str
    preprocessing: Preprocessing
    front_end: str
    labels: tuple[str, ...] = LABELS

    @classmethod
    def open(cls, folder: Path, constants: Preprocessing | None = None) -> "PreparedStore":
        """Open a store that `edge-aver prepare` made.

        Args:
            folder: of the store.
            constants: what its tensors must have been made with; None takes any.

        Raises:
            CorpusError: there is none, it is empty, another version of edge-aver wrote it, or the constants differ.
        """
        store = _read_header(folder)
        corpus, dot, _ = folder.name.partition(".")
        command = f"edge-aver prepare {_source(corpus)}" + (" --model-spec TOML" if dot else "")
        if store is None or not any(store.clips_folder.glob("*.npz")):
            state = "no prepared clips here" if store is None else "a prepared store without clips"
            raise CorpusError(f"{folder}: {state}; make them with: {command}")
        if constants is not None and store.preprocessing != constants:
            raise CorpusError(f"{folder}: its tensors were made with other constants; make them again with: {command}")
        return store

    @classmethod
    def create(
        cls,
        folder: Path,
        corpus: str,
        constants: Preprocessing,
        front_end: str,
        labels: tuple[str, ...] = LABELS,
    ) -> "PreparedStore":
        """Make a store, or open one to continue it.

        Clips made of another corpus, with other constants or by another front end are removed, with one remark. Other
        labels, or others in order, are only written down: each clip holds the name of its own.

        Raises:
            CorpusError: the folder holds something that is no prepared store.
        """
        store = cls(folder=folder, corpus=corpus, preprocessing=constants, front_end=front_end, labels=labels)
        there = _read_header(folder)
        if there is None and any(store.clips_folder.glob("*.npz")):
            raise CorpusError(
                f"{folder}: holds clips/*.npz but no store.json: not a prepared store; name another folder"
            )
        store.remove_temporaries()
        if there is not None and replace(there, labels=labels) != store:
            _remove_clips(there, store)
        if there != store:
            write_text(folder / "store.json", json_text(_header(store)))
        return store

    @property
    def clips_folder(self) -> Path:
        """Where the clips lie, one `<id>.npz` each."""
        return self.folder / "clips"

    def records(self) -> tuple[ClipRecord, ...]:
        """What each clip is, sorted by id; CorpusError for a damaged file, which is named."""
        return tuple(self._record(path) for path in sorted(self.clips_folder.glob("*.npz")))

    def load(self, identifier: str, *, relabel: str | None = None) -> PreparedClip:
        """Read one clip and check it against its own hash.

        Args:
            identifier: of the clip.
            relabel: one of the store's labels, to take for a label that is no longer one.

        Raises:
            CorpusError: no such clip, a damaged file, or its label is none of the store's.
        """
        path = self.path(identifier)
        if not path.is_file():
            raise CorpusError(f"{self.folder}: no prepared clip {identifier!r}")
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as members:
                record, relabelled = self._read_record(members, relabel)
                faces, audio, face_found = (members[name] for name in ("faces", "audio", "face_found"))
        except _DAMAGE as error:
            raise _damaged(path) from error
        if tensors_digest(faces, audio, face_found) != record.tensors_sha256:
            raise _damaged(path)
        return PreparedClip(record=record, faces=faces, audio=audio, face_found=face_found, relabelled=relabelled)

    def batch(
        self, identifiers: Sequence[str]
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Faces (N, 15, 224, 224, 3) uint8, audio (N, 15, 128) float32 and labels (N,) int64 of clips, in order."""
        clips = [self.load(identifier) for identifier in identifiers]
        labels = np.array([clip.record.label for clip in clips], dtype=np.int64)
        return np.stack([clip.faces for clip in clips]), np.stack([clip.audio for clip in clips]), labels

    def path(self, identifier: str) -> Path:
        """The file of a clip, whether it exists or not."""
        return self.clips_folder / f"{identifier}.npz"

    def remove_temporaries(self) -> None:
        """Remove what a killed run left half-written."""
        sweep(self.clips_folder)
        sweep(self.folder)

    def _record(self, path: Path) -> ClipRecord:
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as members:
                return self._read_record(members)[0]
        except _DAMAGE as error:
            raise _damaged(path) from error

    def _read_record(self, members: Any, relabel: str | None = None) -> tuple[ClipRecord, bool]:
        """The record in a file, and whether `relabel` took the place of the label in it."""
        table = json.loads(str(members["meta"]))
        # Clips of earlier versions hold the index alone.
        name = table.pop("label_name", None)
        unknown = name is not None and name not in self.labels
        if unknown and relabel is None:
            raise CorpusError(
                f"{self.folder}: clip {table['id']} is labelled {name!r}, which is none of the store's labels; run "
                "edge-aver prepare again"
            )
        if name is not None:
            table["label"] = self.labels.index(str(relabel) if unknown else name)
        return ClipRecord(**{**table, "source": Path(table["source"])}), unknown


def store_name(corpus: str, constants: Preprocessing) -> str:
    """Folder of a corpus's store in a workspace: its name, and a digest of the constants where they are not ours."""
    return corpus if constants == Preprocessing() else f"{corpus}.{constants.digest()[:8]}"


@dataclass(frozen=True, kw_only=True)
class PackedClip:
    """A clip's file in a store that is not written yet: its record, and its bytes as (N,) uint8."""

    record: ClipRecord
    file: npt.NDArray[np.uint8]

    def write(self, store: PreparedStore) -> ClipRecord:
        """Add it to a store, or replace it: the old file or the new one, never half of either."""
        write_bytes(store.path(self.record.id), self.file.data)
        return self.record


def pack_clip_tensors(
    store: PreparedStore,
    *,
    clip: SourceClip,
    source_sha256: str,
    faces: npt.NDArray[np.uint8],
    audio: npt.NDArray[np.float32],
    face_found: npt.NDArray[np.bool_],
) -> PackedClip:
    """What `write_clip_tensors` writes: the same bytes for the same clip, wherever they are made."""
    record = ClipRecord(
        id=clip.id,
        label=clip.label,
        actor=clip.actor,
        source=clip.path.absolute(),
        source_sha256=source_sha256,
        tensors_sha256=tensors_digest(faces, audio, face_found),
        faces_found=int(face_found.sum()),
        start_s=clip.start_s,
        end_s=clip.end_s,
    )
    told = {**asdict(record), "source": str(record.source), "label_name": store.labels[clip.label]}
    meta = json.dumps(told, sort_keys=True)
    file = io.BytesIO()
    np.savez(file, faces=faces, audio=audio, face_found=face_found, meta=np.array(meta))
    return PackedClip(record=record, file=np.frombuffer(file.getbuffer(), dtype=np.uint8))


def write_clip_tensors(
    store: PreparedStore,
    *,
    clip: SourceClip,
    source_sha256: str,
    faces: npt.NDArray[np.uint8],
    audio: npt.NDArray[np.float32],
    face_found: npt.NDArray[np.bool_],
) -> ClipRecord:
    """Add a clip to a store, or replace it: the old file or the new one, never half of either."""
    packed = pack_clip_tensors(
        store, clip=clip, source_sha256=source_sha256, faces=faces, audio=audio, face_found=face_found
    )
    return packed.write(store)


def tensors_digest(
    faces: npt.NDArray[np.uint8], audio: npt.NDArray[np.float32], face_found: npt.NDArray[np.bool_]
) -> str:
    """SHA-256 over the bytes of faces, audio and face_found: what a calibration manifest records of a clip."""
    digest = hashlib.sha256()
    for array in (faces, audio, face_found):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _header(store: PreparedStore) -> dict[str, Any]:
    return {
        "format_version": _FORMAT,
        "corpus": store.corpus,
        "front_end": store.front_end,
        "labels": store.labels,
        "preprocessing": asdict(store.preprocessing),
        "preprocessing_digest": store.preprocessing.digest(),
    }


def _read_header(folder: Path) -> PreparedStore | None:
    path = folder / "store.json"
    if not path.is_file():
        return None
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        if table["format_version"] != _FORMAT:
            raise ValueError(f"format_version {table['format_version']}, this edge-aver reads {_FORMAT}")
        constants = {**table["preprocessing"], "segment_offsets": tuple(table["preprocessing"]["segment_offsets"])}
        return PreparedStore(
            folder=folder,
            corpus=table["corpus"],
            preprocessing=Preprocessing(**constants),
            front_end=table["front_end"],
            labels=tuple(table.get("labels", LABELS)),
        )
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise CorpusError(
            f"{path}: not a store this edge-aver can read ({error}); remove {folder} and run edge-aver prepare again"
        ) from error


def _source(corpus: str) -> str:
    """How a person tells `edge-aver prepare` of a corpus."""
    if corpus in _SOURCES:
        return f"--corpus {corpus}{_SOURCES[corpus]}"
    name = "" if corpus == "manifest" else f" --name {corpus}"
    return f"--corpus manifest --data CSV{name}"


def _damaged(path: Path) -> CorpusError:
    return CorpusError(f"{path}: damaged prepared clip; run edge-aver prepare again, which replaces it")


def _remove_clips(there: PreparedStore, wanted: PreparedStore) -> None:
    """Remove clips that were made otherwise than is wanted now."""
    clips = sorted(there.clips_folder.glob("*.npz"))
    changed = [
        name for name in ("corpus", "front_end", "preprocessing") if getattr(there, name) != getattr(wanted, name)
    ]
    say(f"{there.folder}: {', '.join(changed)} changed; {len(clips)} clips made before are removed and made anew")
    for path in clips:
        path.unlink()
