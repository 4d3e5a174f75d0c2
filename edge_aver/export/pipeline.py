"""From a checkpoint to artifacts: traced, simplified, lowered, built, and compared with PyTorch after every step."""

import importlib.metadata
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from edge_aver import __version__
from edge_aver.bundle import KIT_SUFFIX, Artifact, open_artifact, write_artifact
from edge_aver.calibration.draw import calibration_clips, check_manifest, draw_calibration
from edge_aver.calibration.folds import Fold
from edge_aver.console import Advance, progress, say
from edge_aver.corpora.store import PreparedStore
from edge_aver.errors import TargetError
from edge_aver.export.detector import ensure_detector
from edge_aver.export.engines import build_parts, check_engine_here, check_lowered, say_build
from edge_aver.export.kit import KitPlan, make_kit
from edge_aver.export.ladder import Ladder, parity_clips
from edge_aver.export.parity import ParityStep
from edge_aver.export.simplify import Simplification, simplify
from edge_aver.export.trace import onnx_from_torch, read_blocks
from edge_aver.locks import scratch_folder, sweep, turn
from edge_aver.models.checkpoint import Checkpoint
from edge_aver.quantize import Recipe, load_recipe
from edge_aver.quantize.lower import lower
from edge_aver.quantize.ptq import Feed
from edge_aver.spec import SPEC_KEY, CalibrationManifest, ModelSpec
from edge_aver.targets import RUNTIMES, DeviceProfile, RuntimeModule, runtime_module

__all__ = ["CalibrationFeeds", "ExportRequest", "artifact_name", "draw_manifest", "export"]

_TOOLS = ("nncf", "onnx", "onnxruntime", "onnxscript", "onnxsim", "openvino", "torch")


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """What to export.

    Attributes:
        checkpoint: the trained network.
        store: prepared clips of its corpus: calibration and parity are done on them.
        fold: the checkpoint's fold.
        recipes: one artifact each and target.
        profiles: the targets.
        artifacts: where to write.
        calibration_clips: instead of the recipe's number.
        split: whether to build `frame_encoder` and `fusion` too, beside the whole network.
    """

    checkpoint: Checkpoint
    store: PreparedStore
    fold: Fold
    recipes: tuple[Recipe, ...]
    profiles: tuple[DeviceProfile, ...]
    artifacts: Path
    calibration_clips: int | None = None
    split: bool = False


@dataclass(frozen=True, kw_only=True)
class _Graph:
    """The simplified fp32 graph that every recipe starts from, and how it compares with PyTorch."""

    path: Path
    steps: tuple[ParityStep, ...]
    simplification: Simplification


@dataclass(frozen=True, kw_only=True)
class _Job:
    """One artifact to make: a recipe for a target, and what all artifacts of an export share."""

    request: ExportRequest
    recipe: Recipe
    profile: DeviceProfile
    graph: _Graph
    ladder: Ladder
    folder: Path
    advance: Advance
    started: float

    @property
    def title(self) -> str:
        return f"{self.recipe.name} for {self.profile.name}"

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the sidecar tells of every build."""
        simplification = asdict(self.graph.simplification)
        seconds = time.perf_counter() - self.started
        return {"seconds": seconds, "simplification": simplification, "runtimes": sorted(RUNTIMES)}


def artifact_name(spec: ModelSpec, recipe: Recipe, profile: DeviceProfile) -> str:
    """`aver-<arch>-<corpus>-fold<k>-<precision>` and the suffix of the runtime; a device of one's own is named too."""
    stem = f"aver-{spec.architecture}-{spec.corpus}-fold{spec.fold}-{recipe.name}"
    device = "" if profile.name == f"{profile.runtime}-cpu" else f".{profile.name}"
    return stem + device + (KIT_SUFFIX if profile.built_on else runtime_module(profile.runtime).suffix)


def export(request: ExportRequest) -> tuple[Artifact, ...]:
    """Export one checkpoint under every recipe for every target, and the face detector beside the artifacts.

    The parity of each step is measured against the PyTorch network on the same clips; the first step outside its
    limits stops the export, and what was built before it stays.

    Returns:
        The artifacts, recipe by recipe, in the order of the targets.

    Raises:
        ParityError: a step left its limits (exit status 3).
        ExportError: a tool refused the graph.
        TargetError: a target does not take a recipe's precision, or its runtime refused the graph.
        CorpusError, LeakError: clips are missing, or leak.
        MissingLibraryError: the face detector's weights are not installed.
    """
    _check_targets(request)
    steps = 2 + 2 * len(request.recipes) * len(request.profiles)
    request.artifacts.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(turn(request.artifacts, f"edge-aver export --arch {request.checkpoint.spec.architecture}"))
        sweep(request.artifacts)
        ensure_detector(request.artifacts)
        folder = stack.enter_context(scratch_folder(request.artifacts))
        advance = stack.enter_context(progress(f"Exporting {request.checkpoint.spec.architecture}", steps))
        ladder = Ladder(request.checkpoint.network, parity_clips(request.store, request.fold, _clips_needed(request)))
        graph = _graph(request.checkpoint, ladder, folder, advance)
        return tuple(
            _export_one(
                _Job(
                    request=request,
                    recipe=recipe,
                    profile=profile,
                    graph=graph,
                    ladder=ladder,
                    folder=folder,
                    advance=advance,
                    started=time.perf_counter(),
                )
            )
            for recipe in request.recipes
            for profile in request.profiles
        )


def _check_targets(request: ExportRequest) -> None:
    for profile in request.profiles:
        if not profile.built_on:
            runtime_module(profile.runtime)
        if request.split and not RUNTIMES[profile.runtime].splits:
            raise TargetError(f"target {profile.name} takes the whole network: leave --split out for it")
        for recipe in request.recipes:
            profile.check_precision(recipe.name, recipe.default)


def _clips_needed(request: ExportRequest) -> int:
    return max(recipe.parity.clips for recipe in request.recipes)


def _graph(checkpoint: Checkpoint, ladder: Ladder, folder: Path, advance: Advance) -> _Graph:
    limits = load_recipe("fp32").parity
    traced, simplified = folder / "traced.onnx", folder / "simplified.onnx"
    onnx_from_torch(checkpoint.network, traced)
    first = ladder.check_onnx("onnx", traced, limits)
    advance(note="traced to ONNX")
    simplification = simplify(traced, simplified)
    if simplification.kept_because:
        say(f"{simplification.kept_because}; the graph is kept unsimplified")
    second = ladder.check_onnx("simplified", simplified, limits)
    advance(note="simplified")
    return _Graph(path=simplified, steps=(first, second), simplification=simplification)


def _export_one(job: _Job) -> Artifact:
    """Lower and build one artifact; both are checked before it is put in place."""
    manifest = draw_manifest(job.request, job.recipe)
    lowered, steps = _lower(job, manifest)
    spec = _spec(job.request.checkpoint, job.recipe, manifest)
    artifact = Artifact(
        path=job.request.artifacts / artifact_name(spec, job.recipe, job.profile),
        target=job.profile.name,
        runtime=job.profile.runtime,
        precision=job.recipe.name,
        spec=spec,
        parity=tuple(asdict(step) for step in steps),
    )
    (_export_kit if job.profile.built_on else _export_built)(job, artifact, lowered)
    return open_artifact(artifact.path)


def _lower(job: _Job, manifest: CalibrationManifest | None) -> tuple[Path, tuple[ParityStep, ...]]:
    """The graph in the target's form, checked, and the steps up to it."""
    runtime = job.profile.runtime
    feeds: Collection[Feed] = CalibrationFeeds(store=job.request.store, manifest=manifest) if manifest else ()
    lowered = lower(job.graph.path, job.folder, job.recipe, runtime, feeds)
    steps = job.graph.steps
    if lowered.reference is not None:
        steps = (*steps, job.ladder.check_onnx("quantized", lowered.reference, job.recipe.parity, exact=True))
    job.advance(note=f"{job.title}: lowered")
    if RUNTIMES[runtime].needs_gpu:
        check_lowered(lowered.path, runtime)
    return lowered.path, steps


def _export_built(job: _Job, artifact: Artifact, lowered: Path) -> None:
    """Build for a target whose artifacts are built anywhere, the network's parts too where they are asked for."""
    runtime, built = runtime_module(artifact.runtime), job.folder / artifact.path.name
    if runtime.is_folder:
        built.mkdir(exist_ok=True)
    metadata = {SPEC_KEY: artifact.spec.to_json()}
    told = dict(runtime.build(lowered, built, metadata=metadata, profile=job.profile))
    steps = _check_built(job, runtime, built, told)
    parity = (*artifact.parity, *(asdict(step) for step in steps))
    _put(replace(artifact, parity=parity, build={**job.facts, **told}), built)
    if job.request.split:
        check = None if RUNTIMES[artifact.runtime].needs_gpu else partial(_check_parts, job, runtime)
        build_parts(artifact, lowered, runtime, job.profile, check=check)
    job.advance(note=f"{job.title}: built")


def _check_built(job: _Job, runtime: RuntimeModule, built: Path, told: dict[str, Any]) -> tuple[ParityStep, ...]:
    """The last step of the ladder; where nothing here can run what was built, `told` says so instead."""
    limits = job.recipe.parity
    if not RUNTIMES[job.profile.runtime].needs_gpu:
        return (job.ladder.check_engine("engine", runtime, built, limits),)
    say_build(built.name, told)
    steps, told["engine_parity"] = check_engine_here(job.ladder, runtime, built, limits)
    return steps


def _check_parts(job: _Job, runtime: RuntimeModule, built: Mapping[str, Path]) -> ParityStep:
    """Both parts one after the other, a frame at a time as a stream has it, beside PyTorch."""
    return job.ladder.check_parts(runtime, built, job.recipe.parity)


def _export_kit(job: _Job, artifact: Artifact, lowered: Path) -> None:
    """Leave a kit for a device that alone can build its engines."""
    blocks, facts = read_blocks(job.graph.path), job.facts
    plan = KitPlan(lowered=lowered, blocks=blocks, recipe=job.recipe, profile=job.profile, spec=artifact.spec)
    path = artifact.path
    with scratch_folder(path.parent) as folder:
        made = folder / path.name
        made.mkdir()
        told = make_kit(plan, made)
        _put(replace(artifact, build={**facts, **told}), made)
    say(
        f"{path.name}: engines for {job.profile.name} are built on the device alone, not here. Copy the kit and its "
        f"sidecar there and run edge-aver build {path.name}, or run edge-aver benchmark --host user@device"
    )
    job.advance(note=f"{job.title}: kit written")


def _put(artifact: Artifact, built: Path) -> None:
    """Move what was built, a file or a folder, to its place, with its sidecar."""
    with write_artifact(artifact, folder=built.is_dir()) as place:
        if built.is_dir():
            place.rmdir()
        built.rename(place)


def draw_manifest(request: ExportRequest, recipe: Recipe) -> CalibrationManifest | None:
    """The clips that calibrate a recipe, checked against the fold; None for one that calibrates nothing."""
    if recipe.calibration is None:
        return None
    count = request.calibration_clips or recipe.calibration.clips
    manifest = draw_calibration(request.store, request.fold, count, seed=recipe.calibration.seed)
    check_manifest(manifest, request.fold)
    return manifest


@dataclass(frozen=True, kw_only=True)
class CalibrationFeeds(Collection[Feed]):
    """Calibration clips as network inputs, read from the store one at a time on every pass."""

    store: PreparedStore
    manifest: CalibrationManifest

    def __iter__(self) -> Iterator[Feed]:
        for clip in calibration_clips(self.store, self.manifest):
            yield {"faces": clip.faces[None], "audio": clip.audio[None]}

    def __len__(self) -> int:
        return len(self.manifest.clips)

    def __contains__(self, item: object) -> bool:
        return item in list(self)


def _spec(checkpoint: Checkpoint, recipe: Recipe, manifest: CalibrationManifest | None) -> ModelSpec:
    installed = {tool: importlib.metadata.version(tool) for tool in _TOOLS if _installed(tool)}
    return replace(
        checkpoint.spec,
        checkpoint_sha256=checkpoint.sha256,
        precision=recipe.name,
        recipe_sha256=recipe.sha256,
        calibration=manifest,
        tool_versions={**checkpoint.spec.tool_versions, **installed, "edge-aver": __version__},
    )


def _installed(tool: str) -> bool:
    try:
        importlib.metadata.version(tool)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
