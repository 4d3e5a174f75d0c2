"""The `edge-aver` command: each subcommand parses its options and makes one library call."""

import os
import re
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from edge_aver import __version__, screens
from edge_aver.console import say
from edge_aver.declarations import shipped_names
from edge_aver.doctor import require, targets_table
from edge_aver.errors import EdgeAverError
from edge_aver.own_options import (
    ModelOption,
    ModelSpecOption,
    SplitCommand,
    SplitOption,
    constants_of,
    plan_export_of,
)
from edge_aver.spec import ARCHITECTURES, Preprocessing
from edge_aver.workspace import Workspace

__all__ = ["app", "main"]

app = typer.Typer(
    name="edge-aver",
    help="Audiovisual emotion recognition: from PyTorch to engine files on a device, and what the trip cost.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# typer carries click inside it: its exceptions are reached through the one that typer exports.
_UsageError, _ClickException = typer.BadParameter.__mro__[1:3]
_INTERRUPTED = 130
_MOST_MISSING = Preprocessing().frames - 1
_FORMATS = ("html", "md", "csv")
_CPU_TARGETS = ("openvino-cpu", "onnxruntime-cpu")


def main() -> NoReturn:
    """Run the command line; a person's mistake ends in one line on standard error and its exit status."""
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(_run(sys.argv[1:]))


def _run(arguments: list[str]) -> int:
    try:
        status = int(app(arguments, prog_name="edge-aver", standalone_mode=False) or 0)
        if status == _INTERRUPTED:  # what typer makes of Ctrl-C
            raise KeyboardInterrupt
        return status
    except EdgeAverError as error:
        return _fail(str(error), error.exit_status)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted; nothing half-written is left, and what was finished is kept", _INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output went away; a second failure while flushing would only add noise.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _fail(f"{error.filename or 'file system'}: {error.strerror or error}", 1)
    except Exception as error:
        if isinstance(error, _ClickException):
            return _fail_usage(error)
        raise


def _fail(message: str, status: int) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return status


def _fail_usage(error: Any) -> int:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "edge-aver"
    return _fail(f"{error.format_message()} (see {command} --help)", 2)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _one_of(
    what: str, known: Callable[[], tuple[str, ...]], *, toml: bool = False, own: re.Pattern[str] | None = None
) -> Callable[[Any], Any]:
    """A callback that refuses unknown names and lists the known ones.

    `toml` also takes a path to a declaration, `own` names of a person's own.
    """

    def check(value: Any) -> Any:
        for name in [value] if isinstance(value, str) else value or []:
            if name not in known() and not (toml and name.endswith(".toml")) and not (own and own.fullmatch(name)):
                raise typer.BadParameter(f"unknown {what} {name!r}; known: {', '.join(known())}")
        return value

    return check


def _split_modalities(values: list[str] | None) -> list[str]:
    """`both,audio` and options given several times alike."""
    from edge_aver.benchmarks.conditions import MODALITIES

    names: list[str] = [name.strip() for value in values or () for name in value.split(",")]
    _one_of("modality", lambda: MODALITIES)(names)
    return names


def _split_counts(values: list[str] | None) -> list[str]:
    """Likewise for whole numbers from 1 to 14."""
    counts = [count.strip() for value in values or () for count in value.split(",")]
    for count in counts:
        if not (count.isascii() and count.isdigit() and 1 <= int(count) <= _MOST_MISSING):
            raise typer.BadParameter(f"{count!r}; expected how many faces are missing, 1 to {_MOST_MISSING}")
    return counts


def _check_margin(value: float | None) -> float | None:
    if value is not None and not 0 < value < 100:
        raise typer.BadParameter(f"{value:g}; expected more than 0 and less than 100")
    return value


def _check_formats(value: str) -> str:
    kinds = value.split(",")
    if set(kinds) - set(_FORMATS) or len(set(kinds)) < len(kinds):
        raise typer.BadParameter(
            f"{value!r}; expected some of {', '.join(_FORMATS)}, with commas and no spaces between"
        )
    return value


def _names(folder: str) -> Callable[[], tuple[str, ...]]:
    return lambda: shipped_names(folder)


_ARCH = _one_of("architecture", lambda: ARCHITECTURES)
_ANY_ARCH = _one_of("architecture", lambda: ARCHITECTURES, own=re.compile("[a-z0-9]+(-[a-z0-9]+)*"))
_PRECISION = _one_of("precision", _names("export/recipes"))
_TARGET = _one_of("target", _names("targets/devices"), toml=True)
_SUITE = _one_of("suite", _names("benchmarks/suites"), toml=True)
_GATE = _one_of("gate", lambda: ("accuracy", "speed"))
_CORPUS = _one_of("corpus", lambda: ("ravdess", "composite", "synthetic"))
_PRECISIONS = ", ".join(shipped_names("export/recipes"))
_SUITES = ", ".join(shipped_names("benchmarks/suites"))

WorkspaceOption = Annotated[
    Path,
    typer.Option("--workspace", envvar="EDGE_AVER_WORKSPACE", help="Folder of clips, checkpoints, artifacts, results."),
]
ArchOption = Annotated[str, typer.Option("--arch", callback=_ARCH, metavar="ca|id|sa", help="Architecture.")]
FoldOption = Annotated[int | None, typer.Option("--fold", min=1, help="Subject-independent fold, from 1.")]
CorpusOption = Annotated[str | None, typer.Option("--corpus", help="Corpus of the checkpoint.")]
TargetsOption = Annotated[
    list[str] | None, typer.Option("--target", callback=_TARGET, help="Device profile; may be given several times.")
]
WorkersOption = Annotated[int | None, typer.Option("--workers", min=1, help="Processes; one a core by default.")]
ThreadsOption = Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads of the runtime.")]
ModalityOption = Annotated[
    list[str] | None,
    typer.Option("--modality", callback=_split_modalities, metavar="both,audio,visual", help="What the network gets."),
]
MissingOption = Annotated[
    list[str] | None,
    typer.Option("--missing-faces", callback=_split_counts, metavar="K", help="K of the 15 faces blacked out."),
]
HostOption = Annotated[
    str | None, typer.Option("--host", metavar="USER@DEVICE", help="Measure on another machine, over ssh.")
]
JsonOption = Annotated[str | None, typer.Option("--json", metavar="PATH|-", help="Result as JSON; - prints it.")]

KeyOption = Annotated[
    Path | None, typer.Option("--key", metavar="PUB", help="Of a bundle: public key that must have signed it, PEM.")
]
TargetOption = Annotated[str | None, typer.Option("--target", callback=_TARGET, help="Device profile.")]
PrecisionOption = Annotated[str | None, typer.Option("--precision", help="Of the artifact; the newest by default.")]
ArchFilter = Annotated[str | None, typer.Option("--arch", callback=_ARCH, metavar="ca|id|sa", help="Architecture.")]

AnyArchFilter = Annotated[
    str | None, typer.Option("--arch", callback=_ANY_ARCH, metavar="ca|id|sa|NAME", help="Architecture.")
]

_WORKSPACE = Path("workspace")


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    if version:
        print(f"edge-aver {__version__}")
    elif context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def demo(workspace: WorkspaceOption = _WORKSPACE, workers: WorkersOption = None) -> None:
    """Run the whole line on synthetic actors: corpus, training, INT8 export, benchmark, report."""
    require("prepare", "export", "report")
    from edge_aver.demo import run_demo

    screens.show_demo(run_demo(Workspace(root=workspace), targets=_CPU_TARGETS, workers=workers))


@app.command()
def prepare(
    corpus: Annotated[
        str, typer.Option("--corpus", callback=_CORPUS, metavar="ravdess|composite|synthetic", help="Reader.")
    ],
    data: Annotated[Path | None, typer.Option("--data", help="Folder of clips; ravdess: as unpacked.")] = None,
    speech: Annotated[Path | None, typer.Option("--speech", help="composite: RAVDESS's speech recordings.")] = None,
    faces: Annotated[Path | None, typer.Option("--faces", help="composite: FER2013, a zip or a folder.")] = None,
    draws: Annotated[
        int | None, typer.Option("--draws", min=1, help="composite: faces for each recording; 1 by default.")
    ] = None,
    reference: Annotated[
        bool, typer.Option("--reference", help="By facenet-pytorch and librosa themselves, to compare with; slow.")
    ] = False,
    model_spec: ModelSpecOption = None,
    workspace: WorkspaceOption = _WORKSPACE,
    workers: WorkersOption = None,
    json_path: JsonOption = None,
) -> None:
    """Turn a corpus into a prepared store: faces and audio features of every clip."""
    place, constants = Workspace(root=workspace), constants_of(model_spec)
    if corpus == "composite":
        _refuse(f"corpus {corpus}", {"--data": data, "--reference": reference or None})
        if speech is None or faces is None:
            raise typer.BadParameter("corpus composite joins recordings with faces: give --speech DIR and --faces ZIP")
        from edge_aver.corpora.composite import prepare_composite
        from edge_aver.corpora.store import store_name

        folder = place.prepared(store_name(corpus, constants or Preprocessing()))
        summary = prepare_composite(
            speech, faces, folder=folder, draws=draws or 1, constants=constants, workers=workers
        )
    else:
        _refuse(f"corpus {corpus}", {"--speech": speech, "--faces": faces, "--draws": draws})
        require("prepare")
        from edge_aver.corpora.catalog import prepare_corpus
        from edge_aver.export.front_end import front_end_plan

        front_end = front_end_plan(place.artifacts, reference=reference)
        summary = prepare_corpus(
            corpus, data=data, workspace=place, front_end=front_end, constants=constants, workers=workers
        )
    screens.show_prepared(summary, json_path)


def _refuse(what: str, options: dict[str, object]) -> None:
    """Refuse options that something else takes."""
    for name, value in options.items():
        if value is not None:
            raise typer.BadParameter(f"{name} is not for {what}: leave it out")


def _refuse_for(what: str, options: Mapping[str, object]) -> None:
    """Refuse options that were given and do not go with a suite or an option."""
    for name, value in options.items():
        if value:
            raise typer.BadParameter(f"{name} does not go with {what}: leave it out")


@app.command()
def train(
    arch: ArchOption,
    fold: Annotated[int, typer.Option("--fold", min=1, help="Subject-independent fold, from 1.")] = 1,
    corpus: Annotated[str, typer.Option("--corpus", help="A prepared corpus.")] = "ravdess",
    backbone_weights: Annotated[
        str, typer.Option("--backbone-weights", metavar="imagenet|none|PATH", help="What the backbone starts from.")
    ] = "imagenet",
    freeze_backbone: Annotated[bool, typer.Option("--freeze-backbone", help="Train the fusion only.")] = False,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="At most this many.")] = 100,
    micro_batch: Annotated[int, typer.Option("--micro-batch", min=1, help="Clips in memory at once.")] = 4,
    seed: Annotated[int, typer.Option("--seed", help="Of the first weights and the order of clips.")] = 0,
    device: Annotated[str | None, typer.Option("--device", help="cpu or cuda; CUDA where present.")] = None,
    workspace: WorkspaceOption = _WORKSPACE,
    json_path: JsonOption = None,
) -> None:
    """Train one architecture on one fold by the paper's protocol."""
    require("train")
    from edge_aver.calibration.folds import load_fold
    from edge_aver.corpora.store import PreparedStore
    from edge_aver.models.training import TrainingPlan
    from edge_aver.models.training import train as train_network

    place = Workspace(root=workspace)
    plan = TrainingPlan(
        epochs=epochs, micro_batch=micro_batch, freeze_backbone=freeze_backbone, seed=seed, device=device
    )
    trained = train_network(
        plan,
        PreparedStore.open(place.prepared(corpus), Preprocessing()),
        load_fold(corpus, fold),
        architecture=arch,
        backbone_weights=backbone_weights,
        checkpoints=place.checkpoints,
        cache=place.cache,
    )
    screens.show_trained(trained, json_path)


@app.command(cls=SplitCommand)
def export(
    arch: ArchFilter = None,
    model: ModelOption = None,
    model_spec: ModelSpecOption = None,
    precision: Annotated[
        list[str] | None, typer.Option("--precision", callback=_PRECISION, help=f"{_PRECISIONS}; may be repeated.")
    ] = None,
    recipe: Annotated[list[Path] | None, typer.Option("--recipe", help="A recipe of your own, as TOML.")] = None,
    checkpoint: Annotated[Path | None, typer.Option("--checkpoint", help="Not the workspace's newest.")] = None,
    fold: FoldOption = None,
    corpus: CorpusOption = None,
    target: TargetsOption = None,
    calibration_clips: Annotated[
        int | None, typer.Option("--calibration-clips", min=1, help="Not the recipe's.")
    ] = None,
    split: SplitOption = None,
    tune: Annotated[
        bool, typer.Option("--tune", help="Measure what each block costs; write a recipe, build none.")
    ] = False,
    tune_minutes: Annotated[float, typer.Option("--tune-minutes", min=0.1, help="Time to tune; resumable.")] = 20.0,
    workspace: WorkspaceOption = _WORKSPACE,
    json_path: JsonOption = None,
) -> None:
    """Trace, simplify, quantize and build for every target; parity with PyTorch is checked after every step."""
    if not precision and not recipe:
        raise typer.BadParameter("give --precision or --recipe")
    require("export")
    from edge_aver.benchmarks.probe import advise_builds
    from edge_aver.export.pipeline import export as export_checkpoint

    request = plan_export_of(
        Workspace(root=workspace),
        arch=arch,
        model=model,
        model_spec=model_spec,
        recipes=[*(precision or []), *map(str, recipe or [])],
        targets=target or _CPU_TARGETS,
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


@app.command()
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


@app.command()
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


@app.command()
def verify(
    artifact: Annotated[Path, typer.Argument(metavar="ARTIFACT|BUNDLE", help="What export or bundle wrote.")],
    folds: Annotated[
        str | None, typer.Option("--folds", metavar="NAME|TOML", help="Not the folds declared for its corpus.")
    ] = None,
    key: KeyOption = None,
    threads: ThreadsOption = None,
    json_path: JsonOption = None,
) -> None:
    """Check an artifact (its files, its spec, and that only training actors of its fold calibrated it) or a bundle.

    Of a bundle every byte is checked, the signature if --key is given, and its golden clip is replayed on this device
    from the file's bytes to the logits: exit 3 if a stage differs.
    """
    if artifact.suffix == ".aver":
        _refuse("a bundle", {"--folds": folds})
        from edge_aver.runtime.replay import verify_bundle

        screens.show_bundle_check(verify_bundle(artifact, key=key, threads=threads), json_path)
        return
    _refuse("an artifact", {"--key": key, "--threads": threads})
    from edge_aver.calibration.verify import verify_artifact

    screens.show_verification(verify_artifact(artifact, folds=folds), json_path)


@app.command()
def run(
    clip: Annotated[Path, typer.Argument(metavar="CLIP", help="A media file with a face and a voice.")],
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
    threads: ThreadsOption = None,
    workspace: WorkspaceOption = _WORKSPACE,
    json_path: JsonOption = None,
) -> None:
    """Recognise one clip: label, probabilities and the time of each stage."""
    if artifact and (target or precision or arch or bundle):
        raise typer.BadParameter("--artifact says which one: leave out --target, --precision, --arch and --bundle")
    if trust and not artifact:
        raise typer.BadParameter("--trust is for a file of yours: say which with --artifact")
    if (bundle and arch) or (key and not bundle):
        raise typer.BadParameter("--key goes with --bundle, and --arch does not")
    if bundle and bundle.suffix != ".aver":
        raise typer.BadParameter(f"--bundle {bundle}: a bundle's name ends in .aver")
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


@app.command()
def benchmark(
    arch: Annotated[list[str] | None, typer.Option("--arch", callback=_ANY_ARCH, help="All by default.")] = None,
    precision: Annotated[list[str] | None, typer.Option("--precision", help="All by default.")] = None,
    target: Annotated[list[str] | None, typer.Option("--target", callback=_TARGET, help="All by default.")] = None,
    suite: Annotated[str, typer.Option("--suite", callback=_SUITE, help=f"How much to measure: {_SUITES}.")] = "smoke",
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", help="For end-to-end: folder of media files, not the fold's clips; may be repeated."),
    ] = None,
    modality: ModalityOption = None,
    missing_faces: MissingOption = None,
    golden: Annotated[
        bool, typer.Option("--golden", help="Corpus not prepared here: latency on made-up clips, no accuracy.")
    ] = False,
    host: HostOption = None,
    ssh_option: Annotated[
        list[str] | None, typer.Option("--ssh-option", metavar="KEY=VALUE", help="With --host: as of ssh -o.")
    ] = None,
    remote_command: Annotated[
        str | None, typer.Option("--remote-command", help="With --host: edge-aver there, if off the PATH.")
    ] = None,
    backbone: Annotated[
        list[str] | None, typer.Option("--backbone", help="Suite backbones: of its networks; all by default.")
    ] = None,
    train_backbones: Annotated[
        bool, typer.Option("--train", help="Suite backbones: train and test them on FER2013 (--data).")
    ] = False,
    freeze_backbone: Annotated[
        bool, typer.Option("--freeze-backbone", help="With --train: the classifier only.")
    ] = False,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="With --train: at most this many.")] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Suite backbones: the paper's accuracies alone; measures nothing.")
    ] = False,
    threads: ThreadsOption = None,
    workspace: WorkspaceOption = _WORKSPACE,
    json_path: JsonOption = None,
) -> None:
    """Measure artifacts: accuracy with intervals, parameters, memory, latency; each in processes of its own.

    --modality and --missing-faces take lists (both,audio) and may be repeated: accuracy is measured under each.
    With --host artifacts are copied by ssh and measured there; a kit is built and verified first.
    """
    from edge_aver.benchmarks.conditions import conditions_of
    from edge_aver.benchmarks.measure import run_benchmark
    from edge_aver.benchmarks.suites import load_suite
    from edge_aver.bundle import choose_artifacts

    place, asked = Workspace(root=workspace), load_suite(suite)
    options: dict[str, object] = {
        "--backbone": backbone,
        "--train": train_backbones,
        "--freeze-backbone": freeze_backbone,
    }
    options |= {"--epochs": epochs, "--published": published}
    if asked.backbones is not None:
        others = {"--arch": arch, "--modality": modality, "--missing-faces": missing_faces, "--golden": golden}
        _refuse_for(suite, others | {"--host": host})
        if (freeze_backbone or epochs) and not train_backbones:
            raise typer.BadParameter("--freeze-backbone and --epochs go with --train")
        if published:
            rest = {"--data": data, "--train": train_backbones, "--backbone": backbone, "--target": target}
            _refuse_for("--published", rest | {"--precision": precision})
        if len(data or ()) > 1 or (train_backbones and not data):
            raise typer.BadParameter("--train takes one --data: FER2013 as a zip, CSV or folder")
        from edge_aver.study import published_study, study_backbones

        if published:
            screens.show_published_backbones(published_study(asked, reports=place.reports), json_path)
            return
        study = study_backbones(
            asked,
            place,
            names=backbone or (),
            targets=target or _CPU_TARGETS,
            precisions=precision or ("fp32", "int8"),
            data=data[0] if data else None,
            train=train_backbones,
            freeze_backbone=freeze_backbone,
            epochs=epochs,
            threads=threads,
        )
        screens.show_backbones(study, json_path)
        return
    _refuse_for(suite, options)
    artifacts = choose_artifacts(
        place.artifacts, architecture=arch, precision=precision, target=target, kits=host is not None
    )
    if host is not None:
        if data or modality or missing_faces:
            raise typer.BadParameter("--data, --modality and --missing-faces are not for --host: leave them out")
        from edge_aver.benchmarks.remote import benchmark_on
        from edge_aver.benchmarks.remote_shell import Host

        device = Host(destination=host, options=tuple(ssh_option or ()), program=remote_command or "edge-aver")
        screens.show_results(benchmark_on(device, artifacts, suite, results=place.results, threads=threads), json_path)
        return
    if ssh_option or remote_command:
        raise typer.BadParameter("--ssh-option and --remote-command go with --host")
    results = run_benchmark(
        artifacts,
        place.prepared,
        asked,
        results=place.results,
        threads=threads,
        data=data or (),
        checkpoints=place.checkpoints,
        conditions=conditions_of(modality or (), [int(count) for count in missing_faces or ()]),
        golden=golden,
    )
    screens.show_results(results, json_path)


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="Baseline: a result, a CSV of predictions, a folder of them.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Candidate, on the same clips.")],
    margin: Annotated[
        float | None,
        typer.Option(
            "--margin",
            callback=_check_margin,
            help="What B may lose: points of accuracy (1 by default), or percent of speed (5).",
        ),
    ] = None,
    gate: Annotated[
        str | None,
        typer.Option("--gate", callback=_GATE, metavar="accuracy|speed", help="Exit 3 on FAIL, 4 if undecided."),
    ] = None,
    modality: ModalityOption = None,
    missing_faces: MissingOption = None,
    json_path: JsonOption = None,
) -> None:
    """Judge what B costs in accuracy, clip by clip, or with --gate speed in time: PASS, FAIL or INCONCLUSIVE.

    A CSV file has columns clip,label,prediction[,fold][,actor]; without the last, clips are named as RAVDESS's.
    Of results, --modality or --missing-faces picks the predictions that were made under that condition.
    """
    from edge_aver.benchmarks.conditions import conditions_of
    from edge_aver.benchmarks.speed_verdict import DEFAULT_TOLERANCE, check_speed_gate, compare_speed
    from edge_aver.benchmarks.verdict import DEFAULT_MARGIN, check_gate
    from edge_aver.benchmarks.verdict import compare as compare_predictions

    if len([*(modality or ()), *(missing_faces or ())]) > 1:
        raise typer.BadParameter("compare takes one --modality or one --missing-faces")
    if gate == "speed":
        if modality or missing_faces:
            raise typer.BadParameter("--modality and --missing-faces are for accuracy: leave them out")
        speed = compare_speed(a, b, margin=DEFAULT_TOLERANCE if margin is None else margin)
        screens.show_speed(speed, json_path)
        check_speed_gate(speed)
        return
    condition = conditions_of(modality or (), [int(count) for count in missing_faces or ()])[-1]
    verdict = compare_predictions(a, b, margin=DEFAULT_MARGIN if margin is None else margin, condition=condition)
    screens.show_verdict(verdict, json_path)
    if gate:
        check_gate(verdict)


@app.command()
def report(
    result: Annotated[
        list[Path] | None, typer.Argument(help="Result files; the workspace's latest by default.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The HTML file to write; others stand beside it.")
    ] = None,
    formats: Annotated[
        str, typer.Option("--format", callback=_check_formats, metavar="html,md,csv", help="What to write.")
    ] = "html",
    workspace: WorkspaceOption = _WORKSPACE,
) -> None:
    """Write results as one self-contained HTML page, as Markdown, or as CSV files.

    A file of the workspace that is no result, or was edited, is named and shown as INVALID; one given here is refused.
    """
    kinds = formats.split(",")
    if "html" in kinds:
        require("report")
    from edge_aver.benchmarks.report import write_reports
    from edge_aver.benchmarks.results import latest_results, read_result

    place = Workspace(root=workspace)
    refused: list[tuple[str, str]] = []
    results = tuple(map(read_result, result)) if result else latest_results(place.results, refused=refused)
    for name, why in refused:
        say(f"{name}: refused and shown as INVALID: {why}")
    for path in write_reports(results, output or place.reports / "report.html", formats=kinds, refused=refused):
        print(path)


@app.command()
def targets() -> None:
    """List the targets, and which of them work here."""
    Console().print(targets_table())


@app.command()
def doctor(json_path: JsonOption = None) -> None:
    """Tell what is installed, which targets work here, and what to install for the rest."""
    screens.show_doctor(json_path)
