"""The stratified draw of calibration clips from a fold's training actors, and the checks that keep it honest."""

import random
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from edge_aver.calibration.folds import Fold
from edge_aver.corpora.store import ClipRecord, PreparedClip, PreparedStore
from edge_aver.errors import CorpusError, LeakError
from edge_aver.spec import CalibrationManifest, Preprocessing

__all__ = ["calibration_clips", "check_manifest", "draw_calibration"]

_NOISE_CORRELATION = 0.1
"""Below this, neighbours are unrelated: faces and speech lie far above it, white noise at 0."""


def draw_calibration(store: PreparedStore, fold: Fold, count: int, *, seed: int = 0) -> CalibrationManifest:
    """Draw `count` clips of training actors, spread over (actor, emotion) as evenly as the store allows.

    The same store, fold, count and seed give the same clips. Fewer clips than `count`: all of them.

    Raises:
        CorpusError: the store is of another corpus, or has no clip of a training actor.
    """
    if store.corpus != fold.corpus:
        raise CorpusError(f"the store holds {store.corpus} clips, fold {fold.index} is one of {fold.corpus}")
    records = [record for record in store.records() if record.actor in fold.train]
    if not records or count < 1:
        raise CorpusError(
            f"{store.corpus}, fold {fold.index}: {len(records)} clips of training actors, {count} asked for; "
            "calibration needs at least one"
        )
    drawn = _stratified(records, random.Random(seed))[:count]
    return CalibrationManifest(
        corpus=fold.corpus,
        fold=fold.index,
        actors=tuple(sorted({record.actor for record in drawn})),
        clips=tuple((record.id, record.tensors_sha256) for record in drawn),
    )


def check_manifest(manifest: CalibrationManifest, fold: Fold) -> None:
    """Refuse a manifest that is empty, of another fold, or names an actor outside the fold's training part.

    Raises:
        LeakError: in one line, with the actors.
    """
    where = f"calibration for {fold.corpus}, fold {fold.index}"
    if not manifest.clips:
        raise LeakError(f"{where}: the manifest is empty")
    if (manifest.corpus, manifest.fold) != (fold.corpus, fold.index):
        raise LeakError(f"{where}: the manifest was drawn for {manifest.corpus}, fold {manifest.fold}")
    for part, actors in (("validation", fold.validation), ("test", fold.test)):
        if shared := sorted(set(manifest.actors) & set(actors)):
            raise LeakError(f"{where}: {part} actors {', '.join(map(str, shared))} stand in the manifest")
    if strangers := sorted(set(manifest.actors) - set(fold.train)):
        raise LeakError(f"{where}: actors {', '.join(map(str, strangers))} are not training actors")


def calibration_clips(
    store: PreparedStore, manifest: CalibrationManifest, *, inputs: Collection[str] = ("faces", "audio")
) -> Iterator[PreparedClip]:
    """The clips of a manifest, one in memory at a time; the whole set is checked before the first is given.

    Args:
        store: that holds them.
        manifest: which.
        inputs: the tensors that a network takes of a clip; others may be anything.

    Raises:
        CorpusError: a clip is missing, or its tensors are no longer those of the manifest.
        LeakError: a clip's actor is not in the manifest, or faces or speech are constant or noise.
    """
    _check_records(store, manifest)
    _check_content(store, manifest, inputs)
    return (store.load(identifier) for identifier, _ in manifest.clips)


def _stratified(records: Sequence[ClipRecord], chance: random.Random) -> list[ClipRecord]:
    """Order records so that every beginning of the list is spread evenly over actors and emotions.

    Rounds take one clip of each (actor, emotion). Within a round, cells are visited along the diagonals of the
    actor-by-emotion table, so that a round cut short still takes each actor and each emotion about equally often.
    """
    cells: dict[tuple[int, int], list[ClipRecord]] = {}
    for record in sorted(records, key=lambda record: record.id):
        cells.setdefault((record.actor, record.label), []).append(record)
    for cell in cells.values():
        chance.shuffle(cell)
    actors, labels = (sorted({key[axis] for key in cells}) for axis in (0, 1))
    chance.shuffle(actors)
    chance.shuffle(labels)
    diagonals = [
        (actor, labels[(row + step) % len(labels)]) for step in range(len(labels)) for row, actor in enumerate(actors)
    ]
    rounds = max(map(len, cells.values()))
    return [cells[key][turn] for turn in range(rounds) for key in diagonals if turn < len(cells.get(key, ()))]


def _check_records(store: PreparedStore, manifest: CalibrationManifest) -> None:
    records = {record.id: record for record in store.records()}
    for identifier, digest in manifest.clips:
        record = records.get(identifier)
        if record is None:
            raise CorpusError(f"calibration clip {identifier} is not in the prepared {store.corpus} store")
        if record.tensors_sha256 != digest:
            raise CorpusError(f"calibration clip {identifier} has changed since it was drawn; draw again")
        if record.actor not in manifest.actors:
            raise LeakError(f"calibration clip {identifier} is of actor {record.actor}, not in the manifest")


def _check_content(store: PreparedStore, manifest: CalibrationManifest, inputs: Collection[str]) -> None:
    ranges: dict[str, list[tuple[float, float]]] = {"faces": [], "audio": []}
    likeness: dict[str, list[float]] = {"faces": [], "audio": []}
    for identifier, _ in manifest.clips:
        clip = store.load(identifier)
        for name, tensor in (("faces", clip.faces), ("audio", clip.audio)):
            ranges[name].append((float(tensor.min()), float(tensor.max())))
        likeness["faces"].append(_pixel_correlation(clip.faces))
        likeness["audio"].append(_segment_correlation(clip.audio, store.preprocessing))
    for name, extremes in ((name, ranges[name]) for name in ranges if name in inputs):
        lowest, highest = (np.array(extremes)[:, axis] for axis in (0, 1))
        if lowest.min() == highest.max():
            raise LeakError(f"calibration {name} are constant ({lowest.min():g}) over all {len(extremes)} clips")
        if (typical := float(np.median(likeness[name]))) < _NOISE_CORRELATION:
            raise LeakError(f"calibration {name} look random: neighbours correlate by {typical:.2f}")


def _pixel_correlation(faces: npt.NDArray[np.uint8]) -> float:
    """Correlation of neighbouring pixels of a row, in the green channel; 1 where a clip shows nothing."""
    green = faces[..., 1].astype(np.float32)
    return _correlation(green[:, :, 1:], green[:, :, :-1])


def _segment_correlation(audio: npt.NDArray[np.float32], constants: Preprocessing) -> float:
    """Correlation of each segment's vector with its copy in the next frame's; 1 where a clip is silent.

    Where frames hold no copies (features of one's own, or one segment a frame), of each frame's vector with the next's.
    """
    offsets = constants.segment_offsets
    if audio.shape[1] != constants.audio_features or not {-1, 0} <= set(offsets):
        return _correlation(audio[1:], audio[:-1]) if len(audio) > 1 else 1.0
    blocks = np.split(audio, len(offsets), axis=1)
    return _correlation(blocks[offsets.index(-1)][1:], blocks[offsets.index(0)][:-1])


def _correlation(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    one, other = one - one.mean(), other - other.mean()
    power = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float((one * other).sum()) / power if power > 0 else 1.0
