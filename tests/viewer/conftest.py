"""A page that is served, of a tiny network, and clips to drop on it."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from face_clips import drawn, scene
from media_files import tone, voice, write_media
from runtime_models import tiny_artifact
from served import serving

from edge_aver.runtime import load


@pytest.fixture(scope="session")
def network(tmp_path_factory):
    """Path of an artifact with the face detector beside it."""
    detector = pytest.importorskip("edge_aver.export.detector", reason="needs the extra export")
    folder = tmp_path_factory.mktemp("network")
    detector.ensure_detector(folder)
    return tiny_artifact(folder, target="onnxruntime-cpu").path


@pytest.fixture(scope="session")
def model(network):
    with load(network) as opened:
        yield opened


@pytest.fixture(scope="module")
def server(model):
    with tempfile.TemporaryDirectory() as folder, serving(model, Path(folder)) as running:
        yield running


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    """Paths: `short`, one window with a face in it; `long`, six windows, of which the last two show none."""
    folder = tmp_path_factory.mktemp("clips")
    face, empty = scene((drawn(0, 160), 80, 40)), scene()
    sound = np.repeat(voice(), 3)
    return {
        "short": write_media(folder / "short.mp4", pictures=[face] * 90, sound=sound),
        "long": write_media(folder / "long.mp4", pictures=[face] * 100 + [empty] * 120, sound=tone(8.8)),
        "faceless": write_media(folder / "faceless.mp4", pictures=[empty] * 50, sound=tone(2.0)),
        "silent": write_media(folder / "silent.mp4", pictures=[face] * 50),
        "blind": write_media(folder / "blind.mp4", sound=tone(2.0)),
        "endless": write_media(folder / "endless.mp4", pictures=[empty] * 2, ticks=[0, 3200], sound=tone(1.0)),
    }
