"""Two commands at once in one workspace: each result is one command's own, whole."""

import json

import pytest

pytest.importorskip("torch", reason="needs the extras that train")
pytest.importorskip("facenet_pytorch", reason="carries the detector's weights: needs the extra reference")

from kills import check_nothing_damaged, commands, left_behind, start, toy_corpus
from runtime_models import tiny_artifact

from edge_aver.bundle import open_artifact, open_bundle
from edge_aver.export.detector import ensure_detector
from edge_aver.spec import Preprocessing


def both(first, second, cache):
    """Run two commands at once; what each printed."""
    processes = [start(arguments, cache) for arguments in (first, second)]
    outputs = [process.communicate(timeout=600)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    return outputs


def test_two_prepares_of_one_corpus_take_turns_and_the_second_reuses(tmp_path):
    root = tmp_path / "workspace"
    arguments = commands(root, toy_corpus(tmp_path / "data", 6))["prepare"]

    outputs = both(arguments, arguments, tmp_path / "cache")

    assert sum("6 clips prepared, 0 already there" in text for text in outputs) == 1
    assert sum("0 clips prepared, 6 already there" in text for text in outputs) == 1
    check_nothing_damaged(root)
    assert left_behind(root) == []


def test_two_bundles_into_one_file_leave_one_of_them(tmp_path):
    root = tmp_path / "workspace"
    (root / "artifacts").mkdir(parents=True)
    ensure_detector(root / "artifacts")
    names = [
        tiny_artifact(root / "artifacts", target="onnxruntime-cpu", precision=name).path for name in ("fp32", "fp16")
    ]

    both(*(["bundle", str(name), "-o", str(root / "sa.aver")] for name in names), tmp_path / "cache")

    with open_bundle(root / "sa.aver") as bundle:
        bundle.check()
        assert bundle.manifest.artifacts in [(name.name,) for name in names]
    assert left_behind(root) == []


@pytest.mark.slow
@pytest.mark.parametrize("precisions", [("fp32", "fp16"), ("fp32", "fp32")])
def test_two_exports_into_one_workspace_never_mix(trained_workspace, tmp_path, precisions):
    root = tmp_path / "workspace"
    root.mkdir()
    for folder in ("prepared", "checkpoints"):
        (root / folder).symlink_to(trained_workspace.root / folder)
    commands_at_once = [
        ["export", "--arch", "sa", "--precision", name, "--target", "onnxruntime-cpu", "--workspace", str(root)]
        for name in precisions
    ]

    outputs = both(*commands_at_once, tmp_path / "cache")

    assert sum("waiting for edge-aver export --arch sa (process" in text for text in outputs) == 1
    assert left_behind(root) == []
    found = {path.name.removesuffix(".json") for path in (root / "artifacts").glob("aver-*.json")}
    assert found == {f"aver-sa-synthetic-fold1-{name}.onnx" for name in precisions}
    for name in found:
        artifact = open_artifact(root / "artifacts" / name)
        assert artifact.precision == artifact.spec.precision
        assert artifact.spec.preprocessing == Preprocessing()
        assert {step["step"] for step in json.loads(json.dumps(artifact.parity))} >= {"onnx", "engine"}
    check_nothing_damaged(root)
