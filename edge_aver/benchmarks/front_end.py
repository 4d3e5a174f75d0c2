"""Cases of the front end, each in a process of its own: our stack, the reference's, and how far both agree."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_aver import runtime
from edge_aver.benchmarks.front_end_results import OURS, REFERENCES, ClipAgreement, EndToEndQuery, StackRound
from edge_aver.benchmarks.machine import cpu_time, cpu_use
from edge_aver.benchmarks.request import MediaClip, Request
from edge_aver.errors import ClipError, MeasurementError, MissingLibraryError
from edge_aver.media.clip import FrontEnd, require_face
from edge_aver.media.container import PacketReader, decoded_video, open_clip, video_track
from edge_aver.media.faces import FaceDetector
from edge_aver.media.picture import Picture
from edge_aver.spec import Preprocessing

__all__ = ["AgreementAnswer", "RoundAnswer", "compare_front_ends", "time_ours", "time_reference"]

Stack = Callable[[bytes], tuple[str, Mapping[str, float]]]
"""From the bytes of a media file to a label, and the seconds of each stage."""

Box = npt.NDArray[np.float32] | None


@dataclass(frozen=True, kw_only=True)
class RoundAnswer:
    """Rounds of one process, one for each stack; or why there are none."""

    rounds: tuple[StackRound, ...] = ()
    not_measured: str | None = None


@dataclass(frozen=True, kw_only=True)
class AgreementAnswer:
    """What both front ends see, clip by clip; or why nothing could be compared."""

    clips: tuple[ClipAgreement, ...] = ()
    not_measured: str | None = None


def time_ours(request: Request) -> RoundAnswer:
    """Bring every clip to a label by the artifact and its own front end."""
    with runtime.load(request.artifact, threads=request.threads) as model:

        def stack(data: bytes) -> tuple[str, Mapping[str, float]]:
            answer = model.predict(data)
            return answer.label, answer.stages_s

        return RoundAnswer(rounds=_rounds({OURS: stack}, request))


def time_reference(request: Request) -> RoundAnswer:
    """Bring every clip to a label by PyAV, facenet-pytorch, librosa and PyTorch, either way faces are asked for."""
    try:
        stacks = {name: _reference_stack(request, batch) for name, batch in REFERENCES.items()}
    except MissingLibraryError as error:
        return RoundAnswer(not_measured=str(error))
    return RoundAnswer(rounds=_rounds(stacks, request))


def compare_front_ends(request: Request) -> AgreementAnswer:
    """Compare boxes in every decoded frame of every clip, and the artifact's logits of every clip."""
    from edge_aver.media.reference import MtcnnDetector, ReferencePlan

    with runtime.load(request.artifact, threads=request.threads) as model:
        constants = model.artifact.spec.preprocessing
        plan = runtime.fast_plan(model.artifact.path.parent, model.artifact.runtime)
        try:
            reference = _Side(
                detector=MtcnnDetector(threads=request.threads, batch=1),
                front_end=ReferencePlan().load(constants, request.threads),
            )
        except MissingLibraryError as error:
            return AgreementAnswer(not_measured=str(error))
        ours = _Side(detector=plan.load_detector(request.threads), front_end=model.front_end)
        return AgreementAnswer(clips=tuple(_compare(clip, reference, ours, model) for clip in request.media))


@dataclass(frozen=True, kw_only=True)
class _Side:
    """A front end, and the detector in it."""

    detector: FaceDetector
    front_end: FrontEnd


def _rounds(stacks: Mapping[str, Stack], request: Request) -> tuple[StackRound, ...]:
    """Every clip through every stack once, in seeded random order, after one that warms up."""
    _warm_up(stacks, request)
    queries: dict[str, list[EndToEndQuery]] = {name: [] for name in stacks}
    refused: dict[str, dict[str, str]] = {name: {} for name in stacks}
    order = [(name, clip) for clip in request.media for name in stacks]
    random.Random(request.seed).shuffle(order)
    ticks = cpu_time()
    for name, clip in order:
        try:
            queries[name].append(_query(stacks[name], clip))
        except ClipError as error:
            refused[name][clip.id] = str(error)
    use = cpu_use(ticks, cpu_time())
    return tuple(
        StackRound(stack=name, queries=tuple(queries[name]), refused=refused[name], cpu_use=use) for name in stacks
    )


def _warm_up(stacks: Mapping[str, Stack], request: Request) -> None:
    """The first clip that every stack can bring to a label; libraries compile and prepare on first use."""
    reason = "no media file to measure on"
    for clip in request.media:
        try:
            for stack in stacks.values():
                stack(Path(clip.path).read_bytes())
        except ClipError as error:
            reason = f"no clip could be brought to a label; the last, {clip.id}: {error}"
        else:
            return
    raise MeasurementError(reason)


def _query(stack: Stack, clip: MediaClip) -> EndToEndQuery:
    started = time.perf_counter()
    label, stages_s = stack(Path(clip.path).read_bytes())
    total_s = time.perf_counter() - started
    return EndToEndQuery(id=clip.id, prediction=label, total_s=total_s, stages_s=dict(stages_s))


def _reference_stack(request: Request, batch: int | None) -> Stack:
    """The stack people use: full pictures to facenet-pytorch, speech to librosa, tensors to PyTorch in fp32."""
    from edge_aver.media.reference import ReferencePlan

    if request.checkpoint is None:
        raise MeasurementError("the reference stack needs the artifact's checkpoint")
    front_end = ReferencePlan(batch=batch).load(Preprocessing(), request.threads)
    network, labels = _eager_network(Path(request.checkpoint))

    def stack(data: bytes) -> tuple[str, Mapping[str, float]]:
        clip = front_end(data)
        require_face(clip, "the clip")
        started = time.perf_counter()
        logits = network(clip.faces[None], clip.audio[None])
        return labels[int(logits.argmax())], {**clip.stages_s, "network": time.perf_counter() - started}

    return stack


Network = Callable[[npt.NDArray[np.uint8], npt.NDArray[np.float32]], npt.NDArray[np.float32]]


def _eager_network(path: Path) -> tuple[Network, tuple[str, ...]]:
    """The checkpoint as PyTorch runs it: from arrays of one clip to its logits (1, 8); and its labels."""
    import torch

    from edge_aver.models.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(path)

    def network(faces: npt.NDArray[np.uint8], audio: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            logits: npt.NDArray[np.float32] = checkpoint.network(
                torch.from_numpy(faces), torch.from_numpy(audio)
            ).numpy()
        return logits

    return network, checkpoint.spec.labels


def _compare(clip: MediaClip, reference: _Side, ours: _Side, model: runtime.Model) -> ClipAgreement:
    reference_boxes: list[Box] = []
    boxes: list[Box] = []
    for pictures in _groups(Path(clip.path), model.artifact.spec.preprocessing):
        reference_boxes += reference.detector.detect(pictures)
        boxes += ours.detector.detect(pictures)
    logits = [_logits(model, side.front_end, Path(clip.path)) for side in (reference, ours)]
    return ClipAgreement(
        id=clip.id,
        reference_found=_flags(reference_boxes),
        found=_flags(boxes),
        reference_boxes=_rounded(reference_boxes),
        boxes=_rounded(boxes),
        reference_logits=logits[0],
        logits=logits[1],
    )


def _groups(path: Path, constants: Preprocessing) -> Iterator[list[Picture]]:
    """All decoded frames of a clip, in groups of as many as a window samples and as far apart in time as it does.

    Our detector uses what neighbouring samples show, so neighbours in time would flatter it.
    """
    with open_clip(path) as container:
        track = video_track(container, path)
        rate = float(track.average_rate or 25)
        step = max(1, round(constants.window_s / constants.frames * rate))
        frames = decoded_video(PacketReader(container, (track,), path).of(track), path)
        pictures = map(Picture.from_frame, frames)
        while block := list(islice(pictures, step * constants.frames)):
            yield from (block[first::step] for first in range(min(step, len(block))))


def _logits(model: runtime.Model, front_end: FrontEnd, path: Path) -> tuple[float, ...]:
    tensors = front_end(path)
    return tuple(float(value) for value in model.predict_tensors(tensors.faces[None], tensors.audio[None])[0])


def _flags(boxes: list[Box]) -> str:
    return "".join("0" if box is None else "1" for box in boxes)


def _rounded(boxes: list[Box]) -> tuple[tuple[float, ...], ...]:
    """To a hundredth of a pixel, which keeps a result small."""
    return tuple(tuple(round(float(edge), 2) for edge in box) for box in boxes if box is not None)
