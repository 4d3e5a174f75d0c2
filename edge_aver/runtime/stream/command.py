"""What `edge-aver run --stream` does: checks the hop, opens the network, and writes a line of JSON for each record."""

import json
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from edge_aver.console import say
from edge_aver.runtime.stream.network import SplitNetwork
from edge_aver.runtime.stream.results import StreamSummary
from edge_aver.runtime.stream.stream import StreamOptions, recognise_stream

__all__ = ["run_stream"]


def run_stream(source: str, network: SplitNetwork, options: StreamOptions, json_path: str | None) -> None:
    """Recognise a stream and say at its end what came of it.

    Args:
        source: of the stream.
        network: in two parts.
        options: of the stream.
        json_path: file for the records, a line each, written as they come; None or `-` for standard output.

    Raises:
        EdgeAverError: as `recognise_stream`.
    """
    note = network.artifact.spec.note
    with _lines(json_path) as out:

        def emit(event: str, fields: Mapping[str, Any]) -> None:
            if event == "stream" and note:
                say(note)
            out.write(json.dumps({"event": event, **_rounded(fields)}) + "\n")
            out.flush()

        summary = recognise_stream(source, network, options, emit)
    say(_sentence(summary))


@contextmanager
def _lines(json_path: str | None) -> Iterator[TextIO]:
    if json_path in (None, "-"):
        yield sys.stdout
        return
    with Path(str(json_path)).open("w", encoding="utf-8") as file:
        yield file


def _rounded(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Microseconds and millionths are enough, and no number is none."""
    return {name: _round(value) for name, value in fields.items()}


def _round(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return _rounded(value)
    return [_round(item) for item in value] if isinstance(value, tuple | list) else value


def _sentence(summary: StreamSummary) -> str:
    latency = "no answer"
    if summary.latency_p50_s is not None and summary.latency_p95_s is not None and summary.latency_max_s is not None:
        p50, p95, most = (
            1000 * value for value in (summary.latency_p50_s, summary.latency_p95_s, summary.latency_max_s)
        )
        latency = f"answers after {p50:.0f} ms (median), {p95:.0f} ms (95 %), {most:.0f} ms (most)"
    return (
        f"{summary.ended} after {summary.stream_s:.2f} s: {summary.frames} frames seen, {summary.sampled} sampled, "
        f"{summary.encoded} encoded, {summary.dropped} dropped, {summary.late} late; {summary.windows} windows; "
        f"{latency}; {summary.cpu_share:.0%} of one core"
    )
