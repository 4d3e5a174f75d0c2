"""From a trained network to what runs on a device: `export`, `build`, `bundle` and `verify`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from edge_aver import screens
from edge_aver.commands.options import (
    CPU_TARGETS,
    PRECISION,
    PRECISIONS,
    WORKSPACE,
    ArchOption,
    CorpusOption,
    FoldOption,
    JsonOption,
    KeyOption,
    TargetsOption,
    ThreadsOption,
    WorkspaceOption,
    refuse,
)
from edge_aver.doctor import require
from edge_aver.workspace import Workspace

__all__ = ["build", "bundle", "export", "verify"]


def export(
    arch: ArchOption,
    precision: Annotated[
        list[str] | None, typer.Option("--precision", callback=PRECISION, help=f"{PRECISIONS}; may be repeated.")
    ] = None,
    recipe: Annotated[list[Path] | None, typer.Option("--recipe", help="A recipe of your own, as TOML.")] = None,
    checkpoint: Annotated[Path | None, typer.Option("--checkpoint", help="Not the workspace's newest.")] = None,
    fold: FoldOption = None,
    corpus: CorpusOption = None,
    target: TargetsOption = None,
    calibration_clips: Annotated[
        int | None, typer.Option("--calibration-clips", min=1, help="Not the recipe's.")
    ] = None,
    split: Annotated[
        bool, typer.Option("--split", help="frame_encoder and fusion too, beside the whole: for streams.")
    ] = False,
    tune: Annotated[
        bool, typer.Option("--tune", help="Measure what each block costs; write a recipe, build none.")
    ] = False,
    tune_minutes: Annotated[float, typer.Option("--tune-minutes", min=0.1, help="Time to tune; resumable.")] = 20.0,
    workspace: WorkspaceOption = WORKSPACE,
    json_path: JsonOption = None,
) -> None:
    """Trace, simplify, quantize and build for every target; parity with PyTorch is checked after every step."""
    if not precision and not recipe:
        raise typer.BadParameter("give --precision or --recipe")
    require("export")
    from edge_aver.benchmarks.probe import advise_builds
    from edge_aver.export.pipeline import export as export_checkpoint
    from edge_aver.export.plan import plan_export

    request = plan_export(
        Workspace(root=workspace),
        architecture=arch,
        recipes=[*(precision or []), *map(str, recipe or [])],
        targets=target or CPU_TARGETS,
        checkpoint=checkpoint,
        fold=fold,
        corpus=corpus,
        calibration_clips=calibration_clips,
        split=split,
    )
    if tune:
        _tune(request, Workspace(root=workspace), tune_minutes, json_path)
        return
    artifacts = export_checkpoint(request)
    screens.show_artifacts(artifacts, json_path, advise_builds(artifacts))


def _tune(request: Any, place: Workspace, minutes: float, json_path: str | None) -> None:
    if len(request.recipes) != 1:
        raise typer.BadParameter("--tune takes one --precision or --recipe")
    require("report")
    from edge_aver.export.sensitivity_plot import draw_sensitivity
    from edge_aver.export.tune import tune_export

    (recipe,), spec = request.recipes, request.checkpoint.spec
    out = place.reports / f"{spec.architecture}-{spec.corpus}-fold{spec.fold}-{recipe.name}-tuned.toml"
    tuned = tune_export(request, recipe, cache=place.cache, out=out, minutes=minutes)
    plot = out.with_suffix(".svg")
    draw_sensitivity(tuned.tuning, plot)
    screens.show_tuned(tuned, plot, json_path)


def build(
    kit: Annotated[Path, typer.Argument(metavar="KIT", help="What an export left for this device.")],
    reuse: Annotated[bool, typer.Option("--reuse", help="Keep engines built from it before and verified.")] = False,
    stand_in: Annotated[
        bool, typer.Option("--stand-in", hidden=True, help="TensorRT-RTX for TensorRT: tries the command, no Jetson's.")
    ] = False,
    json_path: JsonOption = None,
) -> None:
    """On the device: build a kit's engines beside it and hold them to what the kit expects (exit 3 if they differ)."""
    from edge_aver.runtime.build_kit import build_kit

    screens.show_kit_build(build_kit(kit, stand_in=stand_in, reuse=reuse), json_path)


def bundle(
    artifact: Annotated[list[Path], typer.Argument(metavar="ARTIFACT...", help="Of one network; the preferred first.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="X.aver", help="The bundle to write.")],
    sign: Annotated[Path | None, typer.Option("--sign", metavar="KEY", help="Private Ed25519 key, PEM.")] = None,
    json_path: JsonOption = None,
) -> None:
    """Pack artifacts with all that a device needs and a golden clip into one file that can prove itself."""
    if output.suffix != ".aver":
        raise typer.BadParameter(f"-o {output}: a bundle's name ends in .aver")
    from edge_aver.runtime.make_bundle import make_bundle

    screens.show_bundle(make_bundle(artifact, output, key=sign), json_path)


def verify(
    artifact: Annotated[Path, typer.Argument(metavar="ARTIFACT|BUNDLE", help="What export or bundle wrote.")],
    folds: Annotated[
        str | None, typer.Option("--folds", metavar="NAME|TOML", help="Not the folds declared for its corpus.")
    ] = None,
    key: KeyOption = None,
    threads: ThreadsOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    json_path: JsonOption = None,
) -> None:
    """Check an artifact (its files, its spec, and that only training actors of its fold calibrated it) or a bundle.

    Of a bundle every byte is checked, the signature if --key is given, and its golden clip is replayed on this device
    from the file's bytes to the logits: exit 3 if a stage differs.
    """
    if artifact.suffix == ".aver":
        refuse("a bundle", {"--folds": folds})
        from edge_aver.runtime.replay import verify_bundle

        screens.show_bundle_check(verify_bundle(artifact, key=key, threads=threads), json_path)
        return
    refuse("an artifact", {"--key": key, "--threads": threads})
    from edge_aver.calibration.verify import verify_artifact

    screens.show_verification(
        verify_artifact(artifact, folds=folds, prepared=Workspace(root=workspace).prepared), json_path
    )
