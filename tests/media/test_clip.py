import subprocess
import sys

import pytest

from edge_aver.media import clip
from edge_aver.media.clip import load_front_end
from edge_aver.spec import Preprocessing


def test_importing_the_media_modules_loads_no_heavy_library():
    modules = "audio clip container decode faces reference speech timeline".split()
    code = "\n".join(f"import edge_aver.media.{name}" for name in modules)
    heavy = "{'torch', 'facenet_pytorch', 'librosa', 'scipy', 'numba'}"
    code += f"\nimport sys; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_front_ends_are_a_table(monkeypatch):
    monkeypatch.setitem(clip.FRONT_ENDS, "fake", "fake_front_end")
    front_end = load_front_end(Preprocessing(frames=7), name="fake")
    assert front_end.name == "fake"
    assert front_end.constants.frames == 7
    with pytest.raises(KeyError):
        load_front_end(name="unheard-of")
