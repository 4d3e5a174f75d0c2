"""Golden clips: drawn faces and a synthesized voice as tensors, the same anywhere, of nobody; what kits ship."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_aver.corpora.synthetic.actors import actor_timbre
from edge_aver.corpora.synthetic.cues import perform
from edge_aver.corpora.synthetic.singles import draw_faces
from edge_aver.corpora.synthetic.voice import SAMPLE_RATE_HZ, plan_speech, synthesize
from edge_aver.media.audio import segments
from edge_aver.media.speech import speech_steps
from edge_aver.spec import LABELS, Preprocessing

__all__ = ["golden_clips"]

_STREAM = 6


def golden_clips(count: int, constants: Preprocessing) -> Mapping[str, npt.NDArray[Any]]:
    """Tensors of made-up clips: neither a codec nor a detector takes part, so they need no file of anybody's.

    Each frame shows another drawn person, and the voice says a sentence with its own emotion: they judge an engine
    against its graph, never the network.

    Args:
        count: of clips.
        constants: of the clip contract.

    Returns:
        `faces` (N, 15, 224, 224, 3) uint8 and `audio` (N, 15, 128) float32.
    """
    side, frames = constants.face_size_px, constants.frames
    faces = draw_faces(count * frames, size_px=side, seed=_STREAM).pictures.reshape(count, frames, side, side, 3)
    return {"faces": faces, "audio": np.stack([_audio(index, constants) for index in range(count)])}


def _audio(index: int, constants: Preprocessing) -> npt.NDArray[np.float32]:
    rng = np.random.default_rng([_STREAM, index])
    performance = perform(rng, emotion=index % len(LABELS), intensity=2)
    timbre = actor_timbre(index + 1, seed=_STREAM)
    speech = plan_speech(rng, statement=1 + index % 2, voice=performance.voice + timbre.resting, start_s=0.8)
    sound = synthesize(rng, speech, timbre, duration_s=constants.window_s)
    signal = np.ascontiguousarray(sound[:: SAMPLE_RATE_HZ // constants.sample_rate_hz], dtype=np.float32)
    return segments(speech_steps(signal, constants), constants)
