from dataclasses import replace
from pathlib import Path

import pytest
from runtime_models import tiny_artifact

from edge_aver.benchmarks import probe as module
from edge_aver.benchmarks.probe import advise_builds, probe
from edge_aver.bundle import Artifact


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, ...]:
    """One tiny network under two names for ONNX Runtime; its parity passed."""
    folder = tmp_path_factory.mktemp("built")
    artifacts = (tiny_artifact(folder, target="onnxruntime-cpu", precision=name) for name in ("int8", "fp32"))
    return tuple(replace(artifact, parity=({"step": "engine", "passed": True},)) for artifact in artifacts)


def test_every_artifact_is_asked_twenty_times_by_turns(
    built: tuple[Artifact, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    predict = module.runtime.Model.predict_tensors

    def record(model, faces, audio):  # type: ignore[no-untyped-def]
        asked.append(model.artifact.precision)
        return predict(model, faces, audio)

    monkeypatch.setattr(module.runtime.Model, "predict_tensors", record)
    seconds = probe(built)
    assert [len(item) for item in seconds] == [20, 20]
    assert all(0 < value < 10 for item in seconds for value in item)
    assert asked == ["int8", "fp32"] * 22


def test_advice_after_a_build_is_labelled_a_probe(built: tuple[Artifact, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def timed(artifacts):  # type: ignore[no-untyped-def]
        asked.append([artifact.precision for artifact in artifacts])
        return ((0.2, 0.21, 0.19), (0.1, 0.105, 0.095))

    monkeypatch.setattr(module, "probe", timed)
    (advice,) = advise_builds(built)
    assert asked == [["fp32", "int8"]]
    assert (advice.target, advice.precision) == ("onnxruntime-cpu", "int8")
    assert "2.00 times as fast as fp32" in advice.reason
    assert "100 against 200 ms" in advice.reason
    assert "accuracy not compared" in advice.reason
    assert advice.reason.endswith("(by a probe of 20 queries each on this machine; edge-aver benchmark measures)")


def test_one_precision_needs_no_advice_and_no_fp32_allows_none(built: tuple[Artifact, ...]) -> None:
    assert advise_builds(built[:1]) == ()
    (advice,) = advise_builds([built[0], replace(built[0], precision="fp16")])
    assert advice.precision is None
    assert "no fp32 was built beside them" in advice.reason


def test_what_does_not_run_here_is_not_probed(
    built: tuple[Artifact, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (advice,) = advise_builds([built[1], replace(built[0], path=tmp_path / "gone.onnx")])
    assert advice.precision == "fp32"
    assert "was not measured" in advice.reason
    assert "probe of" not in advice.reason
    assert "no probe on onnxruntime-cpu: " in capsys.readouterr().err
