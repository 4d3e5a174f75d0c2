"""One contract, held by every runtime."""

import importlib.util
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from runtime_models import (
    INNER,
    SPEC,
    build_engine,
    example_feed,
    expected_inner,
    expected_logits,
    tiny_onnx,
)

from edge_aver.errors import ArtifactError, MissingLibraryError, TargetError
from edge_aver.spec import SPEC_KEY, ModelSpec
from edge_aver.targets import RUNTIMES, runtime_module

TOLERANCE = 1e-4
ON_CPU = tuple(name for name, entry in RUNTIMES.items() if not entry.needs_gpu)


@pytest.fixture(scope="module", params=sorted(ON_CPU))
def runtime(request):
    return request.param


@pytest.fixture(scope="module")
def engine(runtime, tmp_path_factory):
    return build_engine(runtime, tmp_path_factory.mktemp(runtime), metadata={SPEC_KEY: SPEC.to_json()})


@pytest.fixture(scope="module")
def module(runtime, engine):
    return runtime_module(runtime)


def test_the_model_spec_stands_in_the_file(runtime, engine):
    text = {"onnxruntime": _onnx_metadata, "openvino": _ir_metadata}[runtime](engine)
    assert ModelSpec.from_json(text, where="the file") == SPEC


def _onnx_metadata(engine):
    import onnx

    return {item.key: item.value for item in onnx.load(engine).metadata_props}[SPEC_KEY]


def _ir_metadata(engine):
    import openvino

    return openvino.Core().read_model(engine / "model.xml").get_rt_info(SPEC_KEY.split(".")).value


@pytest.mark.parametrize("clips", [1, 3])
def test_logits_are_those_of_the_network(module, engine, clips):
    feed = example_feed(clips)
    with module.open_runner(engine) as runner:
        results = runner.infer(feed)
    assert set(results) == {"logits"}
    assert results["logits"].dtype == np.float32
    np.testing.assert_allclose(results["logits"], expected_logits(feed), atol=TOLERANCE)


def test_a_runner_takes_another_batch_each_time(module, engine):
    with module.open_runner(engine) as runner:
        for clips in (2, 1, 3):
            feed = example_feed(clips)
            np.testing.assert_allclose(runner.infer(feed)["logits"], expected_logits(feed), atol=TOLERANCE)


def test_results_stay_when_the_runner_runs_again(module, engine):
    with module.open_runner(engine) as runner:
        first = runner.infer(example_feed(1))["logits"]
        kept = first.copy()
        runner.infer({name: value[:1] for name, value in example_feed(3).items()})
    np.testing.assert_array_equal(first, kept)


def test_all_runtimes_agree(tmp_path):
    feed = example_feed(2)
    results = []
    for runtime in ON_CPU:
        folder = tmp_path / runtime
        folder.mkdir()
        with runtime_module(runtime).open_runner(build_engine(runtime, folder)) as runner:
            results.append(runner.infer(feed)["logits"])
    for other in results[1:]:
        np.testing.assert_allclose(other, results[0], atol=TOLERANCE)


@pytest.mark.parametrize("options", [{"threads": 1}, {"threads": 2}, {"exact": True}])
def test_options_change_no_result(module, engine, options):
    feed = example_feed(1)
    with module.open_runner(engine, **options) as runner:
        np.testing.assert_allclose(runner.infer(feed)["logits"], expected_logits(feed), atol=TOLERANCE)


def test_threads_reach_the_runtime(runtime, module, engine):
    with module.open_runner(engine, threads=1) as runner:
        told = {
            "onnxruntime": lambda: runner._session.get_session_options().intra_op_num_threads,
            "openvino": lambda: runner._compiled.get_property("INFERENCE_NUM_THREADS"),
        }[runtime]()
    assert told == 1


def test_inner_tensors_are_returned_when_asked_for(module, engine):
    feed = example_feed(2)
    with module.open_runner(engine, outputs=(INNER,)) as runner:
        results = runner.infer(feed)
    assert set(results) == {"logits", INNER}
    np.testing.assert_allclose(results[INNER], expected_inner(feed), atol=TOLERANCE)
    np.testing.assert_allclose(results["logits"], expected_logits(feed), atol=TOLERANCE)


def test_an_unknown_inner_tensor_is_named(module, engine):
    with pytest.raises(ArtifactError, match="no-such-tensor"):
        module.open_runner(engine, outputs=("no-such-tensor",))


def test_the_executed_precision_is_told_by_the_runtime(runtime, module, engine):
    with module.open_runner(engine, threads=1) as runner:
        layers = runner.executed_precisions
    single, pixel = {"onnxruntime": ("float", "uint8"), "openvino": ("f32", "u8")}[runtime]
    assert layers[single] >= 3, "the multiplications run in fp32"
    assert set(layers) <= {single, pixel, "int64", "i64", "i32"}


def test_threads_may_share_a_runner(module, engine):
    feeds = [{name: value[:1] for name, value in example_feed(clips).items()} for clips in range(1, 5)]
    with module.open_runner(engine, threads=1) as runner, ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            results = list(pool.map(lambda feed: runner.infer(feed)["logits"], feeds))
            for feed, logits in zip(feeds, results, strict=True):
                np.testing.assert_allclose(logits, expected_logits(feed), atol=TOLERANCE)


@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "noise"])
def test_an_unreadable_file_is_one_line(runtime, tmp_path, damage):
    engine = build_engine(runtime, tmp_path)
    for file in engine.iterdir() if engine.is_dir() else (engine,):
        _spoil(file, damage)
    with pytest.raises(ArtifactError, match=r"tiny\.") as caught:
        runtime_module(runtime).open_runner(engine)
    assert "\n" not in str(caught.value)


def _spoil(file, damage):
    content = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        noise = np.random.default_rng(0).bytes(500)
        file.write_bytes({"empty": b"", "truncated": content[: len(content) // 2], "noise": noise}[damage])


def test_a_refused_graph_is_one_line_that_names_what_was_refused(runtime, tmp_path):
    with pytest.raises(TargetError, match="NoSuchOperator") as caught:
        build_engine(runtime, tmp_path, operator="NoSuchOperator")
    assert "\n" not in str(caught.value)


def test_a_lowered_file_that_is_no_graph_is_refused(runtime, module, tmp_path):
    lowered = tiny_onnx(tmp_path / "lowered.onnx")
    lowered.write_bytes(lowered.read_bytes()[:1000])
    with pytest.raises(TargetError):
        module.build(lowered, tmp_path, metadata={}) if module.is_folder else module.build(
            lowered, tmp_path / "out.onnx", metadata={}
        )


def test_a_missing_library_is_named_with_its_extra(runtime, monkeypatch):
    entry = RUNTIMES[runtime]
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == entry.library else find_spec(name, *rest)
    )
    with pytest.raises(MissingLibraryError, match=rf"edge-aver\[{entry.extra}\]"):
        runtime_module(runtime)
    assert entry.version is None


def test_onnx_runtime_reports_to_nobody_and_writes_nothing(tmp_path):
    """From 1.31 on it would leave an identifier of the device in the home folder, and send what it runs."""
    engine = build_engine("onnxruntime", tmp_path)
    (tmp_path / "home").mkdir()
    environment = {name: value for name, value in os.environ.items() if "TELEMETRY" not in name}
    code = (
        "import sys; from pathlib import Path; from edge_aver.targets import runtime_module;"
        "runtime_module('onnxruntime').open_runner(Path(sys.argv[1]))"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(engine)],
        env={**environment, "HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "home")},
        cwd=Path(__file__).parent.parent.parent,
        check=True,
    )
    assert list((tmp_path / "home").iterdir()) == []
