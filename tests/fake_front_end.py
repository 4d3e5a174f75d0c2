"""A front end that does what the content of a file tells it, to test what surrounds it, also in worker processes."""

import errno
import os
import signal
import time
from dataclasses import dataclass

import numpy as np

from edge_aver.errors import ClipError
from edge_aver.media.clip import ClipTensors


class FakeFrontEnd:
    def __init__(self, constants):
        self.constants = constants

    def __call__(self, source, *, start_s=0.0, end_s=None):
        content = source.read_bytes()
        if content.startswith(b"die"):
            time.sleep(0.3)  # until another job is under way
            os.kill(os.getpid(), signal.SIGKILL)
        if content.startswith(b"bad"):
            raise ClipError(f"{source}: not a video")
        if content.startswith(b"full"):
            raise OSError(errno.ENOSPC, "No space left on device")
        if content.startswith(b"bug"):
            raise ZeroDivisionError("a bug")
        if content.startswith(b"slow"):
            source.with_suffix(".started").touch()
            time.sleep(600)
        return self.tensors(content + f"{start_s:g} {end_s}".encode() if start_s or end_s else content)

    def tensors(self, content):
        frames, side = self.constants.frames, self.constants.face_size_px
        found = np.ones(frames, dtype=np.bool_)
        found[: {b"blind": frames, b"blink": 2}.get(content[:5], 0)] = False
        return ClipTensors(
            faces=np.full((frames, side, side, 3), sum(content) % 251, dtype=np.uint8),
            audio=np.full((frames, self.constants.audio_features), sum(content), dtype=np.float32),
            face_found=found,
            stages_s={},
        )


@dataclass(frozen=True, kw_only=True)
class FakePlan:
    name: str = "fake"

    def load(self, constants, threads):
        return FakeFrontEnd(constants)


def ignore_interrupts():
    """An initializer of worker processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
