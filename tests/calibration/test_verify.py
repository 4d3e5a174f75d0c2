"""An artifact checked again: what was changed after the export is found, and so is a leak in its manifest."""

from dataclasses import replace

import pytest
from runtime_models import tiny_artifact

from edge_aver.bundle import open_artifact, sidecar_path
from edge_aver.calibration.folds import load_fold
from edge_aver.calibration.verify import _check_calibration, verify_artifact
from edge_aver.errors import ArtifactError, DeclarationError, LeakError
from edge_aver.spec import CalibrationManifest
from edge_aver.targets import RUNTIMES

FOLD = load_fold("synthetic", 1)
CLIPS = tuple((f"01-01-03-01-01-01-{actor:02}", "ab" * 32) for actor in (9, 10))
MANIFEST = CalibrationManifest(corpus="synthetic", fold=1, actors=(9, 10), clips=CLIPS)


def test_a_sound_manifest_is_told_in_numbers():
    assert _check_calibration(MANIFEST, FOLD) == "2 calibration clips, each once, of 2 training actors of the fold"
    assert _check_calibration(None, FOLD) == "nothing was calibrated"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clips": ()}, "the manifest is empty"),
        ({"clips": (*CLIPS, CLIPS[0])}, "01-01-03-01-01-01-09 is listed twice"),
        ({"clips": (*CLIPS, ("01-01-03-01-01-01-01", "cd" * 32))}, "is of actor 1, not in the manifest"),
        ({"actors": (1, 9, 10)}, "test actors 1 stand in the manifest"),
        ({"actors": (5, 9, 10)}, "validation actors 5 stand in the manifest"),
        ({"fold": 2}, "was drawn for synthetic, fold 2"),
    ],
)
def test_each_leak_is_named(changes, message):
    with pytest.raises(LeakError, match=message):
        _check_calibration(replace(MANIFEST, **changes), FOLD)


@pytest.mark.parametrize("target", ["onnxruntime-cpu", "openvino-cpu"])
def test_the_spec_inside_must_be_the_sidecars(tmp_path, target):
    path = tiny_artifact(tmp_path, target=target)
    path = getattr(path, "path", path)
    corpus = open_artifact(path).spec.corpus
    sidecar = sidecar_path(path)
    sidecar.write_text(sidecar.read_text().replace('"backbone_weights": "none"', '"backbone_weights": "other"'))

    with pytest.raises(ArtifactError, match=r"backbone_weights in the file differ|holds no spec"):
        verify_artifact(path)
    assert corpus in ("ravdess", "synthetic", "composite")


def test_an_engine_is_verified_by_its_sidecar_without_being_loaded(tmp_path):
    trt_graphs = pytest.importorskip("trt_graphs", reason="needs onnx")
    if not RUNTIMES["tensorrt-rtx"].version:
        pytest.skip("tensorrt_rtx is not installed (extra tensorrt-rtx)")
    path = trt_graphs.engine_artifact(tmp_path).path

    assert (
        "the spec stands in the sidecar alone: neither an engine nor a kit's graphs hold one"
        in verify_artifact(path).checks
    )
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match="changed or truncated"):
        verify_artifact(path)


def test_unknown_folds_are_named(tmp_path):
    path = tiny_artifact(tmp_path, target="onnxruntime-cpu")

    with pytest.raises(DeclarationError, match=r"nowhere\.toml"):
        verify_artifact(getattr(path, "path", path), folds="nowhere.toml")
