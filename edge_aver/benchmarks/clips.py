"""Which clips a benchmark measures on: those of the fold's test actors, or the media files of folders given."""

import random
from collections.abc import Iterator, Sequence
from itertools import chain
from itertools import count as count_from
from pathlib import Path
from typing import TypeVar

from edge_aver.benchmarks.request import MediaClip
from edge_aver.bundle import Artifact
from edge_aver.console import say
from edge_aver.corpora.composite import CORPUS as COMPOSITE
from edge_aver.corpora.store import ClipRecord, PreparedStore
from edge_aver.errors import ClipError, CorpusError, MeasurementError
from edge_aver.files import sha256_file
from edge_aver.media.container import audio_track, open_clip, video_track
from edge_aver.spec import ModelSpec

__all__ = ["find_media", "media_missing", "media_of_test_actors", "test_clips"]

_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm")

T = TypeVar("T")


def test_clips(spec: ModelSpec, folder: Path) -> tuple[PreparedStore, list[ClipRecord]]:
    """The prepared store, and the clips of the fold's test actors in it, in the store's order.

    Raises:
        CorpusError: no prepared store.
        MeasurementError: one of another corpus or with other constants, or without such clips, or with labels that
            the network does not know.
    """
    store = PreparedStore.open(folder)
    if store.corpus != spec.corpus:
        raise MeasurementError(f"the store holds {store.corpus}, the network was trained on {spec.corpus}")
    if store.preprocessing != spec.preprocessing:
        raise MeasurementError("the store was prepared with other constants than the network's; prepare it again")
    records = [record for record in store.records() if record.actor in spec.test_actors]
    if not records:
        raise MeasurementError(
            f"no prepared {spec.corpus} clip of test actors {', '.join(map(str, spec.test_actors)) or '(none named)'}"
            f" of fold {spec.fold}; run edge-aver prepare --corpus {spec.corpus}"
        )
    unknown = {store.labels[record.label] for record in records} - set(spec.labels)
    if unknown:
        raise MeasurementError(
            f"prepared {spec.corpus} clips are labelled {', '.join(sorted(unknown))}, which the network does not know "
            f"({', '.join(spec.labels)}); train it again"
        )
    return store, records


def media_missing(corpus: str, records: Sequence[ClipRecord]) -> str | None:
    """Why these media files cannot be measured; None where all are those that were prepared."""
    if corpus == COMPOSITE:
        return "composite clips have no media file: each was put together from a recording and a face"
    if not records:
        return "no test clip shows a face"
    for record in records:
        if not record.source.is_file():
            return f"the media file of clip {record.id} is not where it was prepared from"
        if sha256_file(record.source) != record.source_sha256:
            return f"the media file of clip {record.id} changed since it was prepared"
    return None


def media_of_test_actors(artifact: Artifact, store: Path, *, count: int, seed: int) -> tuple[MediaClip, ...]:
    """The media files of at most `count` clips of the fold's test actors that show a face.

    Raises:
        CorpusError: no prepared store.
        MeasurementError: no such clips, files that are gone or changed, or clips that are parts of files.
    """
    opened, records = test_clips(artifact.spec, store)
    records = _sample([record for record in records if record.faces_found], count, seed)
    if reason := media_missing(opened.corpus, records):
        raise MeasurementError(reason)
    if any(record.start_s or record.end_s is not None for record in records):
        raise MeasurementError(
            f"clips of {opened.corpus} are parts of their media files, and this suite takes whole ones: name a folder "
            "of them with --data"
        )
    return tuple(_media(record.id, record.source) for record in records)


def find_media(folders: Sequence[Path], *, count: int, seed: int) -> tuple[MediaClip, ...]:
    """At most `count` media files with a picture and a sound in folders of any nesting; others are named and left out.

    Raises:
        CorpusError: a folder that does not exist, or no such file in any.
    """
    found: dict[str, MediaClip] = {}
    for path in _files(folders):
        names = chain([path.stem], (f"{path.stem}-{number}" for number in count_from(2)))
        name = next(name for name in names if name not in found)
        try:
            found[name] = _media(name, path)
        except ClipError as error:
            say(f"left out: {error}")
    if not found:
        where, known = ", ".join(map(str, folders)), ", ".join(_SUFFIXES)
        raise CorpusError(f"{where}: no media files ({known}) with a picture and a sound")
    return tuple(_sample(list(found.values()), count, seed))


def _files(folders: Sequence[Path]) -> Iterator[Path]:
    """Every media file once, also where folders overlap."""
    seen: set[Path] = set()
    for folder in folders:
        if not folder.is_dir():
            raise CorpusError(f"{folder}: no such folder; expected one of media files")
        for path in sorted(folder.rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
            known = path.suffix.lower() in _SUFFIXES and not hidden and path.is_file()
            if known and path.resolve() not in seen:
                seen.add(path.resolve())
                yield path


def _media(name: str, path: Path) -> MediaClip:
    with open_clip(path) as container:
        audio_track(container, path)
        video = video_track(container, path)
        width_px, height_px = video.codec_context.width, video.codec_context.height
    return MediaClip(id=name, path=str(path), width_px=width_px, height_px=height_px, sha256=sha256_file(path))


def _sample(items: list[T], count: int, seed: int) -> list[T]:
    """At most `count` of them, in their order."""
    chosen = random.Random(seed).sample(range(len(items)), min(count, len(items)))
    return [items[index] for index in sorted(chosen)]
