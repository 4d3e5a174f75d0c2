"""What the command line takes for a network of one's own, and the call that plans its export."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from edge_aver.spec import Preprocessing
from edge_aver.workspace import Workspace

if TYPE_CHECKING:
    from edge_aver.export.pipeline import ExportRequest

__all__ = ["ModelOption", "ModelSpecOption", "SplitCommand", "SplitOption", "constants_of", "plan_export_of"]

_SPLIT = "encoder=frame_encoder,fusion=fusion"
"""What `--split` alone means: the parts of the paper's networks."""

ModelOption = Annotated[
    str | None,
    typer.Option("--model", metavar="PKG.MOD:FACTORY|NAME", help="A network of your own, instead of --arch."),
]
ModelSpecOption = Annotated[
    Path | None, typer.Option("--model-spec", metavar="TOML", help="What a network of your own takes and gives.")
]
SplitOption = Annotated[
    str | None,
    typer.Option(
        "--split",
        metavar="[encoder=M,fusion=M]",
        help="frame_encoder and fusion too, beside the whole: for streams; modules with --model.",
    ),
]


class SplitCommand(TyperCommand):
    """A command whose `--split` may stand alone."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give a `--split` that stands alone its meaning."""
        spread: list[str] = []
        for word, after in zip(args, [*args[1:], "-"], strict=False):
            spread += [f"--split={_SPLIT}"] if word == "--split" and after.startswith("-") else [word]
        return super().parse_args(ctx, spread)


def constants_of(model_spec: Path | None) -> Preprocessing | None:
    """The constants of a network's spec; None for those of the paper's networks."""
    if model_spec is None:
        return None
    from edge_aver.spec_file import load_spec

    return load_spec(model_spec).preprocessing


def plan_export_of(
    workspace: Workspace,
    *,
    arch: str | None,
    model: str | None,
    model_spec: Path | None,
    recipes: Sequence[str],
    targets: Sequence[str],
    checkpoint: Path | None,
    fold: int | None,
    corpus: str | None,
    calibration_clips: int | None,
    split: str | None,
) -> "ExportRequest":
    """Plan the export of one of the paper's networks (`arch`) or of one's own (`model`); raises as these do."""
    if (arch is None) == (model is None):
        raise typer.BadParameter("give --arch, or --model with --model-spec and --checkpoint")
    common = {"recipes": recipes, "targets": targets, "fold": fold, "corpus": corpus}
    if model is not None:
        if checkpoint is None or model_spec is None:
            raise typer.BadParameter("--model needs --model-spec TOML and --checkpoint P")
        from edge_aver.export.own_plan import plan_own_export

        return plan_own_export(
            workspace,
            model=model,
            model_spec=model_spec,
            checkpoint=checkpoint,
            calibration_clips=calibration_clips,
            split=split,
            **common,  # type: ignore[arg-type]
        )
    if model_spec is not None or split not in (None, _SPLIT):
        raise typer.BadParameter("--model-spec, and --split with modules, go with --model")
    from edge_aver.export.plan import plan_export

    return plan_export(
        workspace,
        architecture=str(arch),
        checkpoint=checkpoint,
        calibration_clips=calibration_clips,
        split=split is not None,
        **common,  # type: ignore[arg-type]
    )
