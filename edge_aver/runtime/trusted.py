"""An artifact that a person vouches for, where no sidecar does."""

from pathlib import Path

from edge_aver.bundle import Artifact, read_artifact
from edge_aver.console import say
from edge_aver.errors import ArtifactError
from edge_aver.spec import ModelSpec
from edge_aver.targets.trt_header import read_header

__all__ = ["trusted_artifact"]


def trusted_artifact(path: Path) -> Artifact:
    """What a sidecar says of an artifact, its hashes not checked; of an engine without one, what can be assumed.

    Raises:
        ArtifactError: there is no such file, or it is no engine and has no sidecar that can be read.
    """
    try:
        return read_artifact(path)
    except ArtifactError:
        if path.suffix != ".engine" or not path.is_file():
            raise
    say(f"{path}: no sidecar that can be read; labels and preprocessing are assumed to be the standard ones")
    rtx = read_header(path.read_bytes(), str(path)).version is not None
    return Artifact(
        path=path,
        target="unknown",
        runtime="tensorrt-rtx" if rtx else "tensorrt",
        precision="unknown",
        spec=ModelSpec(architecture="sa", corpus="unknown", fold=1, train_actors=(), test_actors=()),
    )
