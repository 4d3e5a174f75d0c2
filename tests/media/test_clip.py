import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import edge_aver.media
from edge_aver.errors import NoFaceError
from edge_aver.media.clip import ClipTensors, require_face


def test_importing_the_media_modules_loads_no_heavy_library():
    modules = sorted(path.stem for path in Path(edge_aver.media.__file__).parent.glob("*.py"))
    code = "\n".join(f"import edge_aver.media.{name}" for name in modules)
    heavy = "{'torch', 'facenet_pytorch', 'librosa', 'scipy', 'numba'}"
    code += f"\nimport sys; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert len(modules) > 10


def test_a_clip_without_any_face_is_refused_by_name():
    empty = np.zeros((3, 4, 4, 3), dtype=np.uint8), np.zeros((3, 2), dtype=np.float32)
    blind, seeing = (
        ClipTensors(faces=empty[0], audio=empty[1], face_found=np.array(found), stages_s={})
        for found in ([False] * 3, [False, True, False])
    )
    require_face(seeing, "clip.mp4")
    with pytest.raises(NoFaceError, match=r"^clip.mp4: no face found in any of 3 frames$"):
        require_face(blind, "clip.mp4")
