"""One clip of the synthetic corpus: a made-up actor says a sentence with an emotion, as an mp4 file."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from edge_aver.corpora.synthetic.actors import actor_looks, actor_timbre
from edge_aver.corpora.synthetic.cues import Array, perform
from edge_aver.corpora.synthetic.motion import move
from edge_aver.corpora.synthetic.scene import HEIGHT_PX, WIDTH_PX, draw_frames, stage
from edge_aver.corpora.synthetic.voice import SAMPLE_RATE_HZ, plan_speech, synthesize
from edge_aver.files import atomic_path

__all__ = ["write_clip"]

_FPS = 25
_CLIPS_STREAM = 5
_GRAIN_SD = 2.0
_X264 = {"preset": "ultrafast", "crf": "23", "threads": "1", "g": "50"}
"""One thread, since clips are made in parallel and the number of threads changes what x264 writes."""


def write_clip(
    path: Path,
    *,
    actor: int,
    emotion: int,
    statement: int = 1,
    repetition: int = 1,
    intensity: int = 1,
    seed: int = 0,
    enlarge: int = 1,
) -> None:
    """Write one mp4 (H.264 320x240 at 25 frames a second, AAC 48 kHz mono, 3 to 4.5 s), atomically.

    Equal arguments give equal clips.

    Args:
        path: the file; its folder is made.
        actor: from 1; as in RAVDESS, even numbers are women.
        emotion: label index, 0 to 7.
        statement: 1 or 2, which sentence.
        repetition: 1 or 2.
        intensity: 1 (normal) or 2 (strong).
        seed: of the whole corpus.
        enlarge: times that the picture is wider and higher, for clips that cost what a camera's do.

    Raises:
        OSError: the folder cannot be written to.
    """
    rng = np.random.default_rng([seed, _CLIPS_STREAM, actor, emotion, statement, repetition, intensity])
    looks, timbre = actor_looks(actor, seed=seed), actor_timbre(actor, seed=seed)
    performance = perform(rng, emotion=emotion, intensity=intensity)
    voice = performance.voice + timbre.resting
    speech = plan_speech(rng, statement=statement, voice=voice, start_s=rng.uniform(0.75, 1.1))
    frames = round(_FPS * float(np.clip(speech.end_s + rng.uniform(0.6, 1.0), 3.04, 4.44)))
    sound = synthesize(rng, speech, timbre, duration_s=frames / _FPS)
    times = (np.arange(frames) / _FPS).astype(np.float32)
    motion = move(rng, resting=looks.resting[0], apex=performance.face, speech=speech, times_s=times)
    grain = rng.normal(0, _GRAIN_SD, (HEIGHT_PX, WIDTH_PX)).astype(np.float32)
    with atomic_path(path) as temporary:
        _encode(temporary, draw_frames(looks, stage(rng), motion, grain), sound, enlarge)


def _encode(path: Path, pictures: Iterable[npt.NDArray[np.uint8]], sound: Array, enlarge: int) -> None:
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        video = container.add_stream("libx264", rate=_FPS, options=_X264)
        video.width, video.height, video.pix_fmt = WIDTH_PX * enlarge, HEIGHT_PX * enlarge, "yuv420p"
        audio = container.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono")
        audio.bit_rate = 96_000
        audio.codec_context.options = {"aac_coder": "fast"}
        for picture in pictures:
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode())
        frame = av.AudioFrame.from_ndarray(sound[None, :], format="fltp", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = SAMPLE_RATE_HZ, Fraction(1, SAMPLE_RATE_HZ), 0
        container.mux(audio.encode(frame))
        container.mux(audio.encode())
