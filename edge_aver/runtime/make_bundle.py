"""Making a bundle: artifacts of one network, their detector, and a golden clip with what they make of it here."""

import importlib.metadata
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from edge_aver.bundle import (
    ARTIFACTS,
    DETECTOR_FOLDER,
    Artifact,
    Detector,
    Manifest,
    is_kit,
    open_artifact,
    open_bundle,
    open_detector,
    sidecar_path,
    write_bundle,
)
from edge_aver.bundle.archive import Source
from edge_aver.bundle.golden import Expected, Golden, Tolerance, golden_members
from edge_aver.bundle.notices import notice_members
from edge_aver.corpora.synthetic import write_clip
from edge_aver.errors import ArtifactError
from edge_aver.files import atomic_path, json_text
from edge_aver.locks import sweep
from edge_aver.runtime.front_end import fast_plan
from edge_aver.runtime.model import Model
from edge_aver.runtime.replay import clip_stages
from edge_aver.spec import ModelSpec
from edge_aver.targets import RUNTIMES, runs_here

__all__ = ["MadeBundle", "make_bundle"]

_CLIP = {"actor": 2, "emotion": 2, "statement": 1, "intensity": 2, "seed": 7}
"""An actor of no corpus that anything is trained on: those have seed 0. The clip outlasts the window."""

_TOLERANCES = {
    "frames": Tolerance(max_abs_diff=3.0),
    "faces": Tolerance(min_sqnr_db=8.0),
    "audio": Tolerance(min_sqnr_db=40.0),
}
"""Decoders round alike but for the last bit. A box may be rounded to the next even pixel, which on faces as small as
the golden ones leaves 11 dB; eight pixels beside leave 6."""

_BY_PRECISION = (
    ("int8", Tolerance(min_sqnr_db=15.0)),
    ("fp16", Tolerance(min_sqnr_db=40.0)),
    ("fp32", Tolerance(max_abs_diff=1e-3)),
)
_TOOLS = ("av", "numpy")


@dataclass(frozen=True, kw_only=True)
class MadeBundle:
    """A bundle that was written, and what is in it."""

    path: Path
    bytes: int
    manifest: Manifest
    expected: Mapping[str, Expected]
    note: str | None


def make_bundle(paths: Sequence[Path], out: Path, *, key: Path | None = None) -> MadeBundle:
    """Pack artifacts of one network with all that a device needs, and read the bundle back before it counts.

    The golden clip is decoded and its faces are found by what is installed here. Logits are expected as each artifact
    gives them here; one that does not run here (a GPU's engine) is held to another of the bundle, within the coarser
    tolerance of the two.

    Args:
        paths: of the artifacts, the preferred one first; those of a GPU need one beside them that runs here.
        out: the bundle to write.
        key: private key to sign with (Ed25519, PEM).

    Raises:
        ArtifactError: an artifact is damaged, a kit, or of another network; no detector; none of them runs here.
        MissingLibraryError: signing needs a library that is not installed.
    """
    sweep(out.absolute().parent)
    artifacts = tuple(map(_open, paths))
    _check_one_network(artifacts)
    detector = _detector(artifacts)
    golden = _golden(artifacts)
    spec = _network(artifacts[0].spec)
    tools = {**golden.made_by, "edge-aver": importlib.metadata.version("edge-aver")}
    members: dict[str, Source] = {
        **_files(artifacts),
        **{f"{ARTIFACTS}/{DETECTOR_FOLDER}/{path.name}": path for path in detector.path.iterdir()},
        "spec.json": json_text(asdict(spec)).encode(),
        **golden_members(golden),
        **notice_members(artifacts[0].spec, detector, tools),
    }
    with atomic_path(out) as temporary:
        manifest = write_bundle(temporary, members, tuple(item.path.name for item in artifacts), key=key)
        _check_unchanged(artifacts, manifest)
        with open_bundle(temporary) as bundle:
            bundle.check()
    return MadeBundle(
        path=out, bytes=out.stat().st_size, manifest=manifest, expected=golden.expected, note=artifacts[0].spec.note
    )


def _open(path: Path) -> Artifact:
    if is_kit(path):
        raise ArtifactError(f"{path}: a kit, which no runtime opens; bundle the engines that edge-aver build makes")
    return open_artifact(path)


def _network(spec: ModelSpec) -> ModelSpec:
    """What all artifacts of a network say of themselves alike."""
    return replace(spec, precision=None, recipe_sha256=None, calibration=None, tool_versions={})


def _check_one_network(artifacts: Sequence[Artifact]) -> None:
    if not any(item.part == "clip" for item in artifacts):
        raise ArtifactError("no artifact of the whole network among them; a bundle needs one")
    for item in artifacts[1:]:
        if _network(item.spec) != _network(artifacts[0].spec):
            raise ArtifactError(f"{item.path}: not of the same network as {artifacts[0].path}; make a bundle for each")
    names = [item.path.name for item in artifacts]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ArtifactError(f"{twice}: given twice")


def _detector(artifacts: Sequence[Artifact]) -> Detector:
    found = {folder: open_detector(folder / DETECTOR_FOLDER) for folder in {item.path.parent for item in artifacts}}
    if len({detector.digest() for detector in found.values()}) > 1:
        raise ArtifactError(f"the face detectors in {', '.join(sorted(map(str, found)))} differ; export again into one")
    return found[artifacts[0].path.parent]


def _files(artifacts: Sequence[Artifact]) -> dict[str, Source]:
    files: dict[str, Source] = {}
    for item in artifacts:
        place = f"{ARTIFACTS}/{item.path.name}"
        files[f"{place}.json"] = sidecar_path(item.path)
        if item.path.is_dir():
            files |= {f"{place}/{name}": item.path / name for name in item.files}
        else:
            files[place] = item.path
    return files


def _check_unchanged(artifacts: Sequence[Artifact], manifest: Manifest) -> None:
    """Another export may have replaced an artifact while it was bundled."""
    for item in artifacts:
        for name, entry in item.files.items():
            place = f"{ARTIFACTS}/{item.path.name}" + (f"/{name}" if item.path.is_dir() else "")
            if manifest.members[place] != entry:
                raise ArtifactError(f"{item.path}: changed while it was bundled; bundle it again")


def _golden(artifacts: Sequence[Artifact]) -> Golden:
    """The clip, its tensors and every artifact's logits; one CPU thread, for equal bits."""
    whole = [item for item in artifacts if item.part == "clip"]
    running = [item for item in whole if item.runtime in RUNTIMES and runs_here(item.runtime)]
    if not running:
        raise ArtifactError(
            f"none of them runs here ({', '.join(sorted({item.runtime for item in whole}))}), so what a device must "
            "answer cannot be told; bundle one for openvino-cpu or onnxruntime-cpu with them, and install its runtime"
        )
    plan = fast_plan(running[0].path.parent, running[0].runtime)
    clip = _clip()
    stages = clip_stages(clip, running[0].spec.preprocessing, plan.load_detector(1))
    golden = Golden(
        clip=clip,
        expected={},
        tolerances=_TOLERANCES,
        made_by={tool: importlib.metadata.version(tool) for tool in _TOOLS} | {plan.runtime: _version(plan.runtime)},
        **stages,
    )
    answers = {item.path: _expected(item, golden) for item in running}
    return replace(golden, expected={item.path.name: _nearest(item, running, answers) for item in whole})


def _clip() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        write_clip(path, **_CLIP)
        return path.read_bytes()


def _expected(artifact: Artifact, golden: Golden) -> Expected:
    with Model(artifact, threads=1) as model:
        logits = model.predict_tensors(golden.faces[None], golden.audio[None])
    made_by = f"{artifact.path.name} in {artifact.runtime} {_version(artifact.runtime)}"
    return Expected(logits=logits, tolerance=_tolerance(artifact), computed_by=made_by)


def _nearest(artifact: Artifact, running: Sequence[Artifact], answers: Mapping[Path, Expected]) -> Expected:
    """Its own logits; else those of one of its precision, or of any, within the coarser tolerance of both."""
    if artifact.path in answers:
        return answers[artifact.path]
    other = next((item for item in running if item.precision == artifact.precision), running[0])
    coarser = min((artifact, other), key=_rank)
    return replace(answers[other.path], tolerance=_tolerance(coarser))


def _rank(artifact: Artifact) -> int:
    """0 for the coarsest: what a recipe of one's own is taken for, unless its name says otherwise."""
    return next((rank for rank, (word, _) in enumerate(_BY_PRECISION) if word in artifact.precision), 0)


def _tolerance(artifact: Artifact) -> Tolerance:
    return _BY_PRECISION[_rank(artifact)][1]


def _version(runtime: str) -> str:
    return RUNTIMES[runtime].version or "of unknown version"
