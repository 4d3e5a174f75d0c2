"""The prepared clips that a worker process asks a network about."""

import random
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_aver.benchmarks.clips import test_clips
from edge_aver.benchmarks.request import GOLDEN, Request
from edge_aver.bundle import open_artifact
from edge_aver.corpora.golden import golden_clips
from edge_aver.errors import MeasurementError
from edge_aver.files import sha256_bytes

__all__ = ["Feed", "feeds_of"]

_CYCLED_CLIPS = 8
"""Prepared clips that latency queries go round: more than a cache holds, little beside a network's memory."""

_GOLDEN_CLIPS = 4

Feed = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]
"""Faces (N, 15, 224, 224, 3) and audio (N, 15, 128) of one clip, or of a batch."""


def feeds_of(request: Request) -> tuple[tuple[str, ...], list[Feed]]:
    """SHA-256 of the tensors of each clip to ask about, and the clips, each a batch of one.

    Raises:
        CorpusError: no prepared store.
        MeasurementError: one of another corpus or with other constants, or without test clips.
    """
    spec = open_artifact(Path(request.artifact)).spec
    if request.store == GOLDEN:
        if spec.media_gap:
            raise MeasurementError(f"no made-up clips: {spec.media_gap}")
        golden = golden_clips(_GOLDEN_CLIPS, spec.preprocessing)
        feeds = [(golden["faces"][[i]], golden["audio"][[i]]) for i in range(_GOLDEN_CLIPS)]
        return tuple(sha256_bytes(faces.tobytes() + audio.tobytes()) for faces, audio in feeds), feeds
    store, records = test_clips(spec, Path(request.store))
    chosen = random.Random(request.seed).sample(records, min(_CYCLED_CLIPS, len(records)))
    clips = [store.load(record.id) for record in chosen]
    return tuple(record.tensors_sha256 for record in chosen), [(clip.faces[None], clip.audio[None]) for clip in clips]
