"""A stream from its source to its answers: one thread reads, the caller's recognises."""

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_aver.errors import StreamError
from edge_aver.media.slots import SlotGrid
from edge_aver.runtime.stream.annotate import Annotator, annotated_video
from edge_aver.runtime.stream.clock import Clock, SystemClock
from edge_aver.runtime.stream.intake import Intake
from edge_aver.runtime.stream.network import SplitNetwork
from edge_aver.runtime.stream.pictures import SlotPicture
from edge_aver.runtime.stream.reader import Reader
from edge_aver.runtime.stream.recogniser import FaceFollower, Recogniser
from edge_aver.runtime.stream.results import StreamSummary, WindowResult
from edge_aver.runtime.stream.source import known_source, open_source

__all__ = ["Emit", "StreamOptions", "hop_slots", "pump", "recognise_stream"]

_STALLED_S = 1.0
_SWITCH_S = 0.001

Emit = Callable[[str, Mapping[str, Any]], None]
"""Takes each record: its event (`stream`, `window`, `stalled`, `resumed`, `summary`) and its fields."""


@dataclass(frozen=True, kw_only=True)
class StreamOptions:
    """How a stream is recognised.

    Attributes:
        hop_s: from one window to the next; a multiple of 0.24 s.
        timeout_s: after which a source that gives nothing is given up.
        duration_s: after which the stream counts as ended; None for never.
        annotate: mp4 to write.
    """

    hop_s: float = 0.24
    timeout_s: float = 10.0
    duration_s: float | None = None
    annotate: Path | None = None


def hop_slots(hop_s: float, grid: SlotGrid) -> int | None:
    """A hop in slots; None where it is no multiple of one."""
    slots = round(hop_s / grid.slot_s)
    return slots if slots >= 1 and abs(slots * grid.slot_s - hop_s) < 1e-6 else None


def recognise_stream(source: str, network: SplitNetwork, options: StreamOptions, emit: Emit) -> StreamSummary:
    """Recognise a stream until it ends, its duration is over, or somebody interrupts (Ctrl-C).

    Args:
        source: a file, `-`, or what FFmpeg opens.
        network: in two parts.
        options: with a hop that was checked.
        emit: takes the records as they come.

    Returns:
        What came of it.

    Raises:
        ClipError: the source has no pictures.
        StreamError: it cannot be opened, is damaged, or stalled; the answers up to then were given, and a summary.
    """
    known, clock = known_source(source), SystemClock()
    grid = SlotGrid.of(network.artifact.spec.preprocessing)
    hop = hop_slots(options.hop_s, grid) or 1
    recogniser = Recogniser(network, FaceFollower(network.load_detector()), hop_slots=hop, clock=clock)
    container = open_source(known, options.timeout_s)
    emit("stream", {"source": source, "artifact": network.artifact.path.name, "hop_s": hop * grid.slot_s})
    intake = Intake(
        network.artifact.spec.preprocessing,
        grid,
        has_sound=bool(container.streams.audio),
        began_s=clock.now_s(),
    )
    reader = Reader(
        known, container, intake, grid, clock=clock, timeout_s=options.timeout_s, duration_s=options.duration_s
    )
    began_s, began_cpu_s = clock.now_s(), time.process_time()
    ended, stalls = "end", [0]
    with ExitStack() as stack:
        annotator = stack.enter_context(annotated_video(options.annotate, grid.slot_s)) if options.annotate else None
        stack.callback(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(_SWITCH_S)
        reader.start()
        try:
            pump(intake, recogniser, emit, clock=clock, source=source, timeout_s=options.timeout_s,
                 annotator=annotator, stalls=stalls)  # fmt: skip
            ended = "duration" if reader.reached_duration else "end"
        except KeyboardInterrupt:
            ended = "interrupted"
        except Exception:
            ended = "failed"
            raise
        finally:
            reader.stop()
            reader.join(timeout=1.0)
            wall_s = clock.now_s() - began_s
            summary = _summary(ended, intake, reader, recogniser, wall_s, time.process_time() - began_cpu_s, stalls[0])
            emit("summary", asdict(summary))
    return summary


def pump(
    intake: Intake,
    recogniser: Recogniser,
    emit: Emit,
    *,
    clock: Clock,
    source: str,
    timeout_s: float,
    annotator: Annotator | None = None,
    stalls: list[int] | None = None,
) -> None:
    """Take what comes, answer, and notice when nothing does, until the stream has ended."""
    latest: WindowResult | None = None
    stalled_s: float | None = None
    while True:
        item = intake.take(timeout_s=0.25)
        quiet_s = clock.now_s() - intake.arrived_s
        if stalled_s is None and quiet_s > _STALLED_S and intake.slots is None:
            stalled_s = intake.arrived_s
            if stalls is not None:
                stalls[0] += 1
            emit("stalled", {"quiet_s": quiet_s})
        elif stalled_s is not None and quiet_s < _STALLED_S:
            emit("resumed", {"after_s": intake.arrived_s - stalled_s})
            stalled_s = None
        if item is None:
            if intake.slots is not None:
                break
            if quiet_s > timeout_s:
                raise StreamError(f"{source}: stalled: nothing came for {timeout_s:g} s")
            continue
        if isinstance(item, SlotPicture):
            square = recogniser.see(item)
            latest = _answer(recogniser, intake, emit) or latest
            if annotator is not None:
                annotator.add(item.slot, item.picture, square, latest)
        else:
            recogniser.hear(item)
            latest = _answer(recogniser, intake, emit) or latest
    for result in recogniser.finish():
        emit("window", asdict(result))


def _answer(recogniser: Recogniser, intake: Intake, emit: Emit) -> WindowResult | None:
    """Answer the windows that are complete; gives the last of them."""
    recogniser.drift_s = intake.sound.drift_s
    result = None
    for result in recogniser.answers():
        emit("window", asdict(result))
    return result


def _summary(
    ended: str, intake: Intake, reader: Reader, recogniser: Recogniser, wall_s: float, cpu_s: float, stalls: int
) -> StreamSummary:
    latencies = recogniser.latencies
    return StreamSummary(
        ended=ended,
        stream_s=max(intake.pictures.end_s, intake.sound.end_s),
        wall_s=wall_s,
        cpu_share=cpu_s / wall_s if wall_s > 0 else 0.0,
        frames=intake.pictures.seen,
        passed_over=reader.passed_over,
        sampled=recogniser.sampled,
        encoded=recogniser.encoded,
        late=intake.pictures.late,
        dropped=intake.dropped + reader.skipped,
        damaged=reader.damaged,
        windows=latencies.count,
        latency_p50_s=latencies.quantile_s(0.5),
        latency_p95_s=latencies.quantile_s(0.95),
        latency_max_s=latencies.largest_s if latencies.count else None,
        picture_p95_s=recogniser.picture_latencies.quantile_s(0.95),
        largest_drift_s=intake.sound.largest_drift_s,
        anchors=intake.sound.anchors,
        stalls=stalls,
        jumps=reader.jumps,
        reconnects=reader.reconnects,
    )
