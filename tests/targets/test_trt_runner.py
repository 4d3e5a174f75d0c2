"""The runner's logic against a stand-in for the GPU, and its errors with the real libraries where there is no GPU."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from fake_gpu import FakeCuda, FakeTensorRt, Plan, Status
from kits import tiny_kit
from runtime_models import SPEC

from edge_aver.bundle import Artifact, open_artifact, write_artifact
from edge_aver.errors import ArtifactError, TargetError
from edge_aver.runtime import load
from edge_aver.targets import cuda, trt
from edge_aver.targets.trt_engine import Engine
from edge_aver.targets.trt_runner import open_engine, open_split

PICTURE, SOUND = (2, 2, 3), (15, 4)


def whole(feed):
    faces, audio = feed["faces"].astype(np.float32), feed["audio"]
    return {"logits": np.stack([faces.mean(axis=(1, 2, 3, 4)), audio.sum(axis=(1, 2))], axis=1)}


def encode(feed):
    return {"visual": feed["faces"].astype(np.float32).mean(axis=(1, 2))}


def fuse(feed):
    return {"logits": np.stack([feed["visual"].mean(axis=(1, 2)), feed["audio"].sum(axis=(1, 2))], axis=1)}


ENGINES = {
    b"whole": Plan(
        whole,
        inputs={"faces": (np.uint8, (1, 4, 15, *PICTURE)), "audio": (np.float32, (1, 4, *SOUND))},
        outputs={"logits": (np.float32, (1, 4, 2))},
        layers=[
            "Name: shapes, LayerType: shape_call, Inputs: [], Constants: [], Outputs: [], TacticName: , StreamId: 0",
            "Name: stem, LayerType: conv, Inputs: [ { Name: faces, Datatype: Half, Format: (Linear) }], Constants: [], "
            "Outputs: [ { Name: y, Datatype: Float, Format: (Linear) }], TacticName: t, StreamId: 0",
        ],
    ),
    b"fixed": Plan(
        lambda feed: {"y": 2 * feed["x"]},
        inputs={"x": (np.float32, (2, 2, 3))},
        outputs={"y": (np.float16, (2, 2, 3))},
    ),
    b"encoder": Plan(
        encode, inputs={"faces": (np.uint8, (15, 60, *PICTURE))}, outputs={"visual": (np.float32, (15, 60, 3))}
    ),
    b"fusion": Plan(
        fuse,
        inputs={"visual": (np.float32, (1, 4, 15, 3)), "audio": (np.float32, (1, 4, *SOUND))},
        outputs={"logits": (np.float32, (1, 4, 2))},
    ),
}


def feed_of(clips, seed=0):
    random = np.random.default_rng(seed)
    return {
        "faces": random.integers(0, 256, (clips, 15, *PICTURE), dtype=np.uint8),
        "audio": random.normal(size=(clips, *SOUND)).astype(np.float32),
    }


@pytest.fixture
def gpu(monkeypatch):
    stand_in = FakeCuda()
    monkeypatch.setattr(cuda, "load_runtime", lambda: stand_in)
    yield stand_in
    assert stand_in.leaks == [], "everything is freed"


@pytest.fixture
def library(gpu):
    return FakeTensorRt(gpu, ENGINES)


@pytest.fixture(params=["whole", "split"])
def opener(request, library):
    if request.param == "whole":
        return lambda **options: open_engine(library, b"whole", **options)
    return lambda **options: open_split(library, b"encoder", b"fusion", **options)


def assert_answers(runner, feed):
    results = runner.infer(feed)
    assert set(results) == {"logits"}
    assert results["logits"].dtype == np.float32
    np.testing.assert_allclose(results["logits"], whole(feed)["logits"], rtol=1e-5)
    return results["logits"]


def test_results_are_the_engines(opener):
    with opener() as runner:
        for seed, clips in enumerate([1, 4, 2, 2, 2, 1, 1]):
            assert_answers(runner, feed_of(clips, seed))


def test_results_stay_when_the_runner_runs_again(opener):
    with opener() as runner:
        first = assert_answers(runner, feed_of(2))
        kept = first.copy()
        for seed in range(1, 4):
            assert_answers(runner, feed_of(2, seed))
    np.testing.assert_array_equal(first, kept)


def test_arrays_that_are_not_contiguous_are_taken(opener):
    feed = {name: np.asfortranarray(value)[::-1] for name, value in feed_of(3).items()}
    with opener() as runner:
        assert_answers(runner, feed)


def test_a_batch_that_comes_again_is_one_graph(gpu, opener):
    with opener() as runner:
        assert_answers(runner, feed_of(2))
        assert "cudaGraphLaunch" not in gpu.log
        for seed in range(1, 4):
            gpu.log.clear()
            assert_answers(runner, feed_of(2, seed))
            assert gpu.log[-2:] == ["cudaGraphLaunch", "cudaStreamSynchronize"]
        assert gpu.log == ["cudaGraphLaunch", "cudaStreamSynchronize"]
        gpu.log.clear()
        assert_answers(runner, feed_of(1))
        assert "cudaGraphExecDestroy" in gpu.log
        assert "cudaGraphLaunch" not in gpu.log


def test_copies_and_runs_stand_on_one_stream_in_order(gpu, library):
    with open_engine(library, b"whole", graph=False) as runner:
        for _ in range(3):
            gpu.log.clear()
            assert_answers(runner, feed_of(1))
            assert gpu.log == ["cudaMemcpyAsync"] * 3 + ["cudaStreamSynchronize"]


def test_computing_is_timed_without_copies(gpu, opener):
    with opener() as runner:
        assert runner.time_compute(3) == ()
        feed = feed_of(2)
        runner.infer(feed)
        plain = runner.time_compute(3)
        runner.infer(feed)
        gpu.log.clear()
        as_graph = runner.time_compute(4)
        assert "cudaMemcpyAsync" not in gpu.log
        assert gpu.log.count("cudaGraphLaunch") == gpu.log.count("cudaStreamSynchronize") == 4
        assert (len(plain), len(as_graph)) == (3, 4)
        assert all(0 < seconds < 5 for seconds in (*plain, *as_graph))
        assert_answers(runner, feed)
    assert not gpu.leaks


def test_features_of_a_split_network_never_leave_the_device(gpu, library):
    with open_split(library, b"encoder", b"fusion", graph=False) as runner:
        gpu.log.clear()
        assert_answers(runner, feed_of(1))
    assert gpu.log.count("cudaMemcpyAsync") == 3, "faces and audio in, logits out"


@pytest.mark.parametrize("failing", ["cudaStreamBeginCapture", "cudaStreamEndCapture", "cudaGraphInstantiate"])
def test_where_nothing_can_be_captured_it_runs_plainly_and_is_not_tried_again(gpu, opener, failing):
    with opener() as runner:
        assert_answers(runner, feed_of(1))
        gpu.failures = {failing: Status.cudaErrorStreamCaptureUnsupported}
        if failing == "cudaStreamEndCapture":
            gpu.failures, gpu.cudaStreamEndCapture = {}, _end_without_a_graph
        for seed in range(3):
            assert_answers(runner, feed_of(1, seed))
        assert gpu.log.count("cudaStreamBeginCapture") == 1


def _end_without_a_graph(stream):
    stream.captured = None
    return Status.cudaErrorStreamCaptureUnsupported, None


def test_a_stream_that_the_library_calls_not_capturable_is_left_alone(gpu, library, monkeypatch):
    monkeypatch.setattr("fake_gpu.FakeContext.is_stream_capturable", lambda self, handle: False, raising=False)
    with open_engine(library, b"whole") as runner:
        for seed in range(3):
            assert_answers(runner, feed_of(1, seed))
    assert "cudaStreamBeginCapture" not in gpu.log


def test_threads_may_share_a_runner(opener):
    feeds = [feed_of(1 + seed % 3, seed) for seed in range(24)]
    with opener() as runner, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda feed: assert_answers(runner, feed), feeds))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"faces": None}, "inputs audio were given, expected faces, audio"),
        ({"more": np.zeros(1)}, "inputs faces, audio, more were given"),
        ({"audio": np.zeros((1, *SOUND))}, "input audio is float64, expected float32"),
        (
            {"faces": np.zeros((1, 15, 2, 2, 4), np.uint8)},
            r"input faces has shape \(1, 15, 2, 2, 4\), expected \(batch",
        ),
        ({"audio": np.zeros(SOUND, np.float32)}, r"input audio has shape \(15, 4\), expected \(batch, 15, 4\)"),
        ({"audio": np.zeros((2, *SOUND), np.float32)}, "inputs of different batch: .*audio 2"),
    ],
)
def test_a_feed_that_does_not_fit_is_one_line(opener, change, said):
    feed = {name: value for name, value in {**feed_of(1), **change}.items() if value is not None}
    with opener() as runner:
        with pytest.raises(TargetError, match=said):
            runner.infer(feed)
        assert_answers(runner, feed_of(1))


@pytest.mark.parametrize(("clips", "frames"), [(5, 75), (0, 0)])
def test_a_batch_outside_the_engines_range_names_the_range(library, clips, frames):
    with (
        open_engine(library, b"whole") as runner,
        pytest.raises(TargetError, match=f"of {clips}, .* for 1 to 4; split"),
    ):
        runner.infer(feed_of(clips))
    with open_split(library, b"encoder", b"fusion") as runner:
        with pytest.raises(TargetError, match=f"of {frames}, but this engine was built for 15 to 60"):
            runner.infer(feed_of(clips))


def test_an_engine_of_one_batch_says_which(library):
    with open_engine(library, b"fixed") as runner:
        np.testing.assert_array_equal(runner.infer({"x": np.ones((2, 3), np.float32)})["y"], 2 * np.ones((2, 3)))
        with pytest.raises(TargetError, match="a batch of 1, but this engine was built for 2"):
            runner.infer({"x": np.ones((1, 3), np.float32)})


def test_results_are_float32_whatever_the_engine_gives(library):
    with open_engine(library, b"fixed") as runner:
        assert runner.infer({"x": np.ones((2, 3), np.float32)})["y"].dtype == np.float32


def test_an_output_that_the_engine_lacks_is_named(gpu, library):
    with pytest.raises(ArtifactError, match="no output 'visual'; it was built with logits"):
        open_engine(library, b"whole", outputs=("visual",))
    with open_engine(library, b"whole", outputs=("logits",)) as runner:
        assert_answers(runner, feed_of(1))


def test_a_plan_that_the_library_refuses_tells_the_librarys_reason(library, tmp_path):
    path = tmp_path / "sa.engine"
    with pytest.raises(ArtifactError, match=r"sa\.engine: the engine cannot be read"):
        open_engine(library, path)
    path.write_bytes(b"noise")
    for _ in range(2):  # the second time without what was said the first time
        with pytest.raises(
            ArtifactError,
            match=r"sa\.engine: fake_tensorrt 11\.0 cannot open it: the plan's magic tag does not match$",
        ):
            open_engine(library, path)


@pytest.mark.parametrize("failing", ["cudaMalloc", "cudaHostAlloc", "cudaStreamCreate"])
def test_what_was_made_before_memory_ran_out_is_freed(gpu, library, failing):
    gpu.failures = {failing: Status.cudaErrorMemoryAllocation}
    with pytest.raises(TargetError, match="out of memory"):
        open_engine(library, b"whole")


def test_a_failure_while_running_is_told(gpu, library):
    with open_engine(library, b"whole") as runner:
        gpu.failures = {"cudaMemcpyAsync": Status.cudaErrorIllegalAddress}
        with pytest.raises(TargetError, match=r"cudaMemcpyAsync: cudaErrorIllegalAddress.* start it again"):
            runner.infer(feed_of(1))
        gpu.failures = {}


def test_device_memory_is_the_engines_and_the_buffers(library):
    with open_engine(library, b"whole") as runner:
        buffers = 4 * (15 * 12 + 4 * 15 * 4 + 4 * 2)
        assert runner.device_memory_bytes == 1000 + buffers


def test_executed_precisions_are_the_inspectors(library):
    with open_engine(library, b"whole") as runner:
        assert runner.executed_precisions == {"FP16": 1}
    with open_split(library, b"encoder", b"fusion") as runner:
        assert runner.executed_precisions == {}


def test_closing_twice_frees_once(library):
    runner = open_engine(library, b"whole")
    runner.infer(feed_of(1))
    runner.close()
    runner.close()


def real_library():
    library = pytest.importorskip("tensorrt_rtx", reason="tensorrt_rtx is not installed")
    runtime = pytest.importorskip("cuda.bindings.runtime", reason="cuda-python is not installed")
    if runtime.cudaDriverGetVersion()[1]:
        pytest.skip("this machine has an NVIDIA driver")
    return library


def test_the_real_library_without_a_driver_is_one_line():
    with pytest.raises(TargetError, match="No NVIDIA driver is installed on this machine") as caught:
        open_engine(real_library(), b"any")
    assert "\n" not in str(caught.value)


def test_the_real_library_tells_why_it_refuses_a_plan():
    with pytest.raises(ArtifactError, match=r"sa: tensorrt_rtx 1\.\d.* cannot open it: .*(magic|size|[Ss]erializ)"):
        Engine(real_library(), b"noise" * 100, "sa")


ENCODER, FUSION = b"encoder".ljust(64), b"fusion".ljust(64)


@pytest.fixture
def runtime(gpu, monkeypatch):
    library = FakeTensorRt(gpu, {ENCODER: ENGINES[b"encoder"], FUSION: ENGINES[b"fusion"]})
    monkeypatch.setattr(trt.TensorRt, "_library", lambda self: library)
    return trt.TensorRt(runtime="tensorrt")


@pytest.fixture
def pair(tmp_path):
    """Both halves of a network, each with its sidecar."""
    return tuple(write_part(tmp_path, part, plan) for part, plan in (("frame_encoder", ENCODER), ("fusion", FUSION)))


def write_part(folder, part, plan, **changes):
    artifact = Artifact(
        path=folder / f"aver-sa-synthetic-fold1-fp16.mine.{part}.engine",
        target="mine",
        runtime="tensorrt",
        precision="fp16",
        spec=SPEC,
        build={"library_version": FakeTensorRt.__version__, "compute_capabilities": ["8.6"]},
        part=part,
    )
    artifact = replace(artifact, **changes)
    with write_artifact(artifact, folder=False) as place:
        place.write_bytes(plan)
    return artifact.path


def test_a_pair_that_its_sidecars_vouch_for_is_opened_as_one(runtime, pair):
    with runtime.open_parts(*pair) as runner:
        assert_answers(runner, feed_of(2))


@pytest.mark.parametrize("spoiled", [0, 1])
def test_a_half_that_was_changed_is_not_loaded(runtime, pair, spoiled):
    pair[spoiled].write_bytes(pair[spoiled].read_bytes()[:-1] + b"!")
    with pytest.raises(ArtifactError, match=rf"{pair[spoiled].name}: not the file its sidecar describes"):
        runtime.open_parts(*pair)


def test_halves_in_the_wrong_order_are_refused(runtime, pair):
    with pytest.raises(ArtifactError, match="says it is the fusion, expected the frame_encoder"):
        runtime.open_parts(*reversed(pair))


@pytest.mark.parametrize(
    ("what", "changes"),
    [("precision", {"precision": "int8"}), ("target", {"target": "other"}), ("spec", {"spec": replace(SPEC, fold=2)})],
)
def test_halves_of_two_networks_are_refused(runtime, pair, tmp_path, what, changes):
    write_part(tmp_path, "fusion", FUSION, **changes)
    with pytest.raises(ArtifactError, match=rf"its {what} is not that of .*frame_encoder\.engine"):
        runtime.open_parts(*pair)


def test_a_half_for_another_gpu_or_version_is_refused(runtime, pair, tmp_path):
    write_part(tmp_path, "fusion", FUSION, build={"compute_capabilities": ["8.9"]})
    with pytest.raises(TargetError, match=r"the GPU here has compute capability 8\.6"):
        runtime.open_parts(*pair)
    write_part(tmp_path, "fusion", FUSION, build={"library_version": "9.9"})
    with pytest.raises(TargetError, match=r"fusion\.engine: built by fake_tensorrt 9\.9.*here is fake_tensorrt 11\.0"):
        runtime.open_parts(*pair)


def test_a_half_is_not_opened_as_if_it_were_the_whole(runtime, pair):
    assert open_artifact(pair[0]).part == "frame_encoder"
    with pytest.raises(ArtifactError, match="the frame_encoder of a network built in two; open_parts opens both"):
        runtime.open_runner(pair[0])


def test_neither_a_half_nor_a_kit_is_loaded_to_recognise_clips(pair, tmp_path):
    with pytest.raises(ArtifactError, match=r"fusion\.engine: the fusion of a network that was built in two"):
        load(pair[1])
    with pytest.raises(ArtifactError, match=r"is a kit: nothing runs it before edge-aver build on its device"):
        load(tiny_kit(tmp_path))
