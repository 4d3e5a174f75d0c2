"""Recognising: `run`, on one clip or on a stream."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from edge_aver import screens
from edge_aver.commands.options import (
    WORKSPACE,
    AnyArchFilter,
    JsonOption,
    KeyOption,
    PrecisionOption,
    TargetOption,
    ThreadsOption,
    WorkspaceOption,
    refuse,
)
from edge_aver.spec import Preprocessing
from edge_aver.workspace import Workspace

__all__ = ["run"]


def run(
    clip: Annotated[
        Path | None, typer.Argument(metavar="CLIP", help="A media file with a face and a voice.", show_default=False)
    ] = None,
    target: TargetOption = None,
    precision: PrecisionOption = None,
    arch: AnyArchFilter = None,
    artifact: Annotated[Path | None, typer.Option("--artifact", help="Instead of the workspace's newest.")] = None,
    bundle: Annotated[Path | None, typer.Option("--bundle", metavar="X.aver", help="Instead of an artifact.")] = None,
    key: KeyOption = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Load --artifact though no sidecar vouches for it; an engine is code.")
    ] = False,
    start: Annotated[float, typer.Option("--start", min=0.0, help="Seconds into the clip.")] = 0.0,
    stream: Annotated[
        str | None,
        typer.Option("--stream", metavar="SOURCE", help="Not a clip: a file at real speed, a camera, RTSP ..."),
    ] = None,
    hop: Annotated[
        float | None, typer.Option("--hop", help="With --stream: seconds between windows, n x 0.24; 0.24 by default.")
    ] = None,
    duration: Annotated[
        float | None, typer.Option("--duration", min=0.24, help="With --stream: seconds after which it ends.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", min=1.0, help="With --stream: seconds without data; 10 by default.")
    ] = None,
    annotate: Annotated[
        Path | None, typer.Option("--annotate", metavar="X.mp4", help="With --stream: its pictures with the answers.")
    ] = None,
    threads: ThreadsOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    json_path: JsonOption = None,
) -> None:
    """Recognise one clip: label, probabilities and the time of each stage; or with --stream a stream, window by window.

    A stream gives a line of JSON for each window, on standard output or to --json, and ends with Ctrl-C.
    """
    if artifact and (target or precision or arch or bundle):
        raise typer.BadParameter("--artifact says which one: leave out --target, --precision, --arch and --bundle")
    if trust and not artifact:
        raise typer.BadParameter("--trust is for a file of yours: say which with --artifact")
    if (bundle and arch) or (key and not bundle):
        raise typer.BadParameter("--key goes with --bundle, and --arch does not")
    if bundle and bundle.suffix != ".aver":
        raise typer.BadParameter(f"--bundle {bundle}: a bundle's name ends in .aver")
    if stream is not None:
        refuse("--stream", {"CLIP": clip, "--trust": trust or None, "--start": start or None})
        choice = _StreamChoice(artifact=artifact, bundle=bundle, key=key, arch=arch, precision=precision, target=target)
        options = {"hop_s": hop, "duration_s": duration, "timeout_s": timeout, "annotate": annotate}
        _run_stream(stream, choice, options, Workspace(root=workspace), threads, json_path)
        return
    refuse("a clip", {"--hop": hop, "--duration": duration, "--timeout": timeout, "--annotate": annotate})
    if clip is None:
        raise typer.BadParameter("give CLIP, or --stream SOURCE")
    from edge_aver.runtime import load, newest
    from edge_aver.runtime.memory import share_one_heap

    share_one_heap()
    if bundle:
        model = load(bundle, target=target, precision=precision, threads=threads, key=key)
    else:
        place = Workspace(root=workspace)
        path = artifact or newest(place.artifacts, architecture=arch, precision=precision, target=target)
        model = load(path, threads=threads, trust=trust)
    with model:
        screens.show_prediction(model.artifact, clip, model.predict(clip, start_s=start), json_path)


@dataclass(frozen=True, kw_only=True)
class _StreamChoice:
    artifact: Path | None
    bundle: Path | None
    key: Path | None
    arch: str | None
    precision: str | None
    target: str | None


def _run_stream(
    source: str,
    choice: _StreamChoice,
    given: Mapping[str, Any],
    place: Workspace,
    threads: int | None,
    json_path: str | None,
) -> None:
    from edge_aver.media.slots import SlotGrid
    from edge_aver.runtime.memory import share_one_heap
    from edge_aver.runtime.stream import StreamOptions, open_split, open_split_bundle, with_parts
    from edge_aver.runtime.stream.command import run_stream
    from edge_aver.runtime.stream.stream import hop_slots

    options = StreamOptions(**{name: value for name, value in given.items() if value is not None})
    if hop_slots(options.hop_s, SlotGrid.of(Preprocessing())) is None:
        raise typer.BadParameter(f"--hop {options.hop_s:g}: expected a multiple of 0.24 s")
    if options.annotate and options.annotate.suffix != ".mp4":
        raise typer.BadParameter(f"--annotate {options.annotate}: its name ends in .mp4")
    share_one_heap()
    # One thread a network costs the least processor time, and is fast enough.
    threads = threads or 1
    if choice.bundle:
        network = open_split_bundle(
            choice.bundle, target=choice.target, precision=choice.precision, threads=threads, key=choice.key
        )
    else:
        path = choice.artifact or with_parts(
            place.artifacts, architecture=choice.arch, precision=choice.precision, target=choice.target
        )
        network = open_split(path, threads=threads)
    with network:
        run_stream(source, network, options, json_path)
