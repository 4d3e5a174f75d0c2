"""Real engines on a real GPU, held to ONNX Runtime without optimizations by the limits of each precision's recipe."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from runtime_models import example_feed, expected_logits, tiny_onnx

from edge_aver.errors import TargetError
from edge_aver.targets import cuda, runtime_module
from edge_aver.targets.trt_runner import open_engine, open_split

pytestmark = pytest.mark.gpu

RUNTIMES_OF_A_GPU = ("tensorrt-rtx", "tensorrt", "onnxruntime-cuda")
CLIPS, QUERIES = 4, 50


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    """An `sa` network with random weights, as a simplified ONNX file."""
    torch = pytest.importorskip("torch", reason="needs the extra export")
    from edge_aver.export.simplify import simplify
    from edge_aver.export.trace import onnx_from_torch
    from edge_aver.models.network import build_network

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("graph")
    onnx_from_torch(build_network("sa").eval(), folder / "traced.onnx")
    simplify(folder / "traced.onnx", folder / "simplified.onnx")
    return folder / "simplified.onnx"


@pytest.fixture(scope="module")
def engine(graph, target_here, tmp_path_factory):
    """Lower and build for a runtime of this GPU; gives the engine's path and module, the reference's and the limits."""
    from edge_aver.quantize import load_recipe
    from edge_aver.quantize.lower import lower

    built = {}

    def make(runtime, precision):
        if (runtime, precision) not in built:
            profile, module = target_here(runtime)
            try:
                profile.check_precision(precision)
            except TargetError as error:
                pytest.skip(str(error))
            folder, recipe = tmp_path_factory.mktemp(f"{runtime}-{precision}"), load_recipe(precision)
            calibration = [example_feed(1)] * 8 if recipe.calibration else []
            lowered = lower(graph, folder, recipe, runtime, calibration)
            path = folder / f"sa{module.suffix}"
            module.build(lowered.path, path, metadata={}, profile=profile)
            built[runtime, precision] = path, module, lowered.reference or graph, recipe.parity
        return built[runtime, precision]

    return make


def test_some_runtime_serves_this_gpu(target_here):
    served = []
    for runtime in RUNTIMES_OF_A_GPU:
        try:
            target_here(runtime)
            served.append(runtime)
        except pytest.skip.Exception as reason:
            print(reason)
    assert served, "every other test here is skipped"


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("runtime", RUNTIMES_OF_A_GPU)
def test_logits_keep_the_limits_of_the_precision(engine, runtime, precision, measured):
    from edge_aver.export.parity import measure_step

    path, module, reference, limits = engine(runtime, precision)
    feeds = [{name: value[:1] for name, value in example_feed(seed).items()} for seed in range(1, CLIPS + 1)]
    with runtime_module("onnxruntime").open_runner(reference, exact=True) as exact:
        wanted = np.concatenate([exact.infer(feed)["logits"] for feed in feeds])
    with module.open_runner(path, trust=True) as runner:
        got = np.concatenate([runner.infer(feed)["logits"] for feed in feeds])
    step = measure_step("engine", wanted, got, limits)
    measured(f"{runtime} {precision}: largest difference {step.max_abs_diff:.3g}, SQNR {step.sqnr_db} dB")
    assert step.passed, step


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("runtime", RUNTIMES_OF_A_GPU)
def test_latency_memory_and_precisions_are_measured(engine, runtime, precision, measured):
    path, module, *_ = engine(runtime, precision)
    feed, latency_s = example_feed(1), []
    with module.open_runner(path, trust=True) as runner:
        for _ in range(QUERIES + 5):
            started = time.perf_counter()
            runner.infer(feed)
            latency_s.append(time.perf_counter() - started)
        layers, memory = dict(runner.executed_precisions), runner.device_memory_bytes
    p50_ms = 1e3 * statistics.median(latency_s[5:])
    measured(f"{runtime} {precision}: p50 {p50_ms:.2f} ms a clip, {memory / 1e6:.1f} MB on the device, ran {layers}")
    assert sum(layers.values()) > 10
    assert memory > 15 * 224 * 224 * 3, "at least the faces lie there"


@pytest.mark.parametrize("runtime", RUNTIMES_OF_A_GPU)
def test_every_batch_gives_what_its_clips_give_alone(engine, runtime):
    path, module, *_ = engine(runtime, "fp16")
    with module.open_runner(path, trust=True) as runner:
        for clips in (1, 4, 2, 2, 2, 1):
            feed = example_feed(clips)
            together = runner.infer(feed)["logits"]
            alone = [runner.infer({name: value[i : i + 1] for name, value in feed.items()}) for i in range(clips)]
            wanted = np.concatenate([one["logits"] for one in alone])
            np.testing.assert_allclose(together, wanted, atol=2**-8 * np.abs(wanted).max())


@pytest.mark.parametrize("runtime", RUNTIMES_OF_A_GPU)
def test_threads_may_share_a_runner(engine, runtime):
    path, module, *_ = engine(runtime, "fp16")
    feeds = [{name: value[:1] for name, value in example_feed(seed).items()} for seed in range(1, 9)]
    with module.open_runner(path, trust=True) as runner, ThreadPoolExecutor(4) as pool:
        wanted = [runner.infer(feed)["logits"] for feed in feeds]
        for got, expected in zip(pool.map(lambda feed: runner.infer(feed)["logits"], feeds), wanted, strict=True):
            np.testing.assert_allclose(got, expected, atol=2**-8 * np.abs(expected).max())


@pytest.mark.parametrize("runtime", ["tensorrt-rtx", "tensorrt"])
def test_a_cuda_graph_repeats_the_plain_run(engine, runtime, rtx_library, measured):
    path, *_ = engine(runtime, "fp16")
    feeds = [{name: value[:1] for name, value in example_feed(seed).items()} for seed in range(1, 6)]
    with open_engine(rtx_library, path, graph=False) as plain, open_engine(rtx_library, path) as replayed:
        for feed in feeds:
            np.testing.assert_array_equal(replayed.infer(feed)["logits"], plain.infer(feed)["logits"])
        captured = replayed._graph is not None
    measured(f"{runtime}: CUDA graph {'captured' if captured else 'not captured, runs plainly'}")


@pytest.mark.parametrize("runtime", ["tensorrt-rtx", "tensorrt"])
def test_a_split_network_gives_what_the_whole_one_gives(graph, engine, runtime, rtx_library, target_here, tmp_path):
    from edge_aver.export.split import split_onnx
    from edge_aver.quantize import load_recipe
    from edge_aver.quantize.lower import lower

    profile, module = target_here(runtime)
    whole, *_ = engine(runtime, "fp16")
    lowered = lower(graph, tmp_path, load_recipe("fp16"), runtime, ())
    parts = []
    for part, path in split_onnx(lowered.path, tmp_path).items():
        parts.append(tmp_path / f"{part}.engine")
        module.build(path, parts[-1], metadata={}, profile=profile)
    with open_engine(rtx_library, whole) as one, open_split(rtx_library, *parts) as two:
        for clips in (1, 2, 2, 2):
            wanted = one.infer(example_feed(clips))["logits"]
            got = two.infer(example_feed(clips))["logits"]
            np.testing.assert_allclose(got, wanted, atol=2**-8 * np.abs(wanted).max())


@pytest.mark.parametrize("runtime", ["tensorrt-rtx", "tensorrt"])
def test_a_batch_outside_the_range_leaves_the_runner_usable(engine, runtime):
    path, module, *_ = engine(runtime, "fp16")
    with module.open_runner(path, trust=True) as runner:
        with pytest.raises(TargetError, match="a batch of 5, but this engine was built for 1 to 4"):
            runner.infer(example_feed(5))
        assert np.isfinite(runner.infer(example_feed(1))["logits"]).all()


@pytest.mark.parametrize("runtime", RUNTIMES_OF_A_GPU)
def test_closing_gives_the_memory_back(target_here, runtime, tmp_path):
    profile, module = target_here(runtime)
    path = tmp_path / f"tiny{module.suffix}"
    module.build(tiny_onnx(tmp_path / "lowered.onnx"), path, metadata={}, profile=profile)
    left = []
    for _ in range(4):
        with module.open_runner(path, trust=True) as runner:
            feed = example_feed(2)
            np.testing.assert_allclose(runner.infer(feed)["logits"], expected_logits(feed), atol=1e-3)
        left.append(cuda.free_bytes())
    # The first opening loads libraries and kernels that stay.
    assert left[1] - left[-1] < 8e6, left


def test_memory_that_the_gpu_does_not_have_is_one_line(device):
    with (
        cuda.Arena() as arena,
        pytest.raises(TargetError, match=r"cudaErrorMemoryAllocation\. the GPU is out of memory"),
    ):
        arena.device(2 * device.memory_bytes)
    with cuda.Arena() as arena:
        assert arena.device(1000) > 0
