"""What comes before a trained network: `prepare` and `train`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge_aver import screens
from edge_aver.cluster import connected
from edge_aver.commands.options import (
    CORPORA_BEGUN,
    CORPUS,
    WORKSPACE,
    ArchOption,
    ClusterOption,
    JsonOption,
    WorkersOption,
    WorkspaceOption,
    refuse,
)
from edge_aver.commands.own_options import ModelSpecOption, constants_of
from edge_aver.doctor import require
from edge_aver.spec import Preprocessing
from edge_aver.workspace import Workspace

if TYPE_CHECKING:
    from edge_aver.corpora.own import OwnCorpus

__all__ = ["prepare", "train"]


def prepare(
    corpus: Annotated[
        str,
        typer.Option(
            "--corpus",
            callback=CORPUS,
            autocompletion=CORPORA_BEGUN,
            metavar="ravdess|crema-d|manifest|composite|synthetic",
            help="Reader.",
        ),
    ],
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder of clips, as unpacked; manifest: the CSV file.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="manifest: what the corpus is called; manifest by default.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option("--labels", metavar="A,B,C", help="manifest: all labels in order; sorted by default.")
    ] = None,
    folds: Annotated[
        int | None, typer.Option("--folds", metavar="K", help="manifest, crema-d: make K folds by subject.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="With --folds: another draw; 0 by default.")] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="manifest, crema-d: show clips, labels and folds; decode nothing.")
    ] = False,
    speech: Annotated[Path | None, typer.Option("--speech", help="composite: RAVDESS's speech recordings.")] = None,
    faces: Annotated[Path | None, typer.Option("--faces", help="composite: FER2013, a zip or a folder.")] = None,
    draws: Annotated[
        int | None, typer.Option("--draws", min=1, help="composite: faces for each recording; 1 by default.")
    ] = None,
    reference: Annotated[
        bool, typer.Option("--reference", help="By facenet-pytorch and librosa themselves, to compare with; slow.")
    ] = False,
    model_spec: ModelSpecOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    workers: WorkersOption = None,
    cluster: ClusterOption = None,
    json_path: JsonOption = None,
) -> None:
    """Turn a corpus into a prepared store: faces and audio features of every clip."""
    place, constants = Workspace(root=workspace), constants_of(model_spec)
    if cluster is not None:  # workers are started elsewhere: what they read has one name for all
        place = Workspace(root=workspace.absolute())
        data, speech, faces = (path and path.absolute() for path in (data, speech, faces))
    if corpus in ("manifest", "crema-d"):
        refuse(f"corpus {corpus}", {"--speech": speech, "--faces": faces, "--draws": draws})
        if corpus != "manifest":
            refuse(f"corpus {corpus}", {"--name": name, "--labels": labels})
        if data is None:
            raise typer.BadParameter(f"corpus {corpus} is read from {_SOURCES[corpus]}")
        if seed is not None and folds is None:
            raise typer.BadParameter("--seed goes with --folds")
        own = OwnOptions(corpus=corpus, data=data, name=name or corpus, labels=labels, folds=folds, seed=seed or 0)
        _prepare_own(
            place,
            own,
            constants or Preprocessing(),
            plan_only=plan,
            reference=reference,
            workers=workers,
            cluster=cluster,
            json_path=json_path,
        )
        return
    own_options: dict[str, object] = {"--name": name, "--labels": labels, "--folds": folds, "--seed": seed}
    refuse(f"corpus {corpus}", {**own_options, "--plan": plan or None})
    if corpus == "composite":
        refuse(f"corpus {corpus}", {"--data": data, "--reference": reference or None})
        if speech is None or faces is None:
            raise typer.BadParameter("corpus composite joins recordings with faces: give --speech DIR and --faces ZIP")
        from edge_aver.corpora.composite import prepare_composite
        from edge_aver.corpora.store import store_name

        folder = place.prepared(store_name(corpus, constants or Preprocessing()))
        with connected(cluster) as executor:
            summary = prepare_composite(
                speech,
                faces,
                folder=folder,
                draws=draws or 1,
                constants=constants,
                workers=workers,
                executor=executor,
            )
    else:
        refuse(f"corpus {corpus}", {"--speech": speech, "--faces": faces, "--draws": draws})
        require("prepare")
        from edge_aver.corpora.catalog import prepare_corpus
        from edge_aver.export.front_end import front_end_plan

        front_end = front_end_plan(place.artifacts, reference=reference)
        with connected(cluster) as executor:
            summary = prepare_corpus(
                corpus,
                data=data,
                workspace=place,
                front_end=front_end,
                constants=constants,
                workers=workers,
                executor=executor,
            )
    screens.show_prepared(summary, json_path)


@dataclass(frozen=True, kw_only=True)
class OwnOptions:
    """What is said of clips of one's own: the reader, what it reads, and of the folds."""

    corpus: str
    data: Path
    name: str
    labels: str | None
    folds: int | None
    seed: int


_SOURCES = {
    "manifest": "a CSV file (path,label,subject): give it with --data CSV",
    "crema-d": "a folder: give it with --data DIR",
}


def _prepare_own(
    place: Workspace,
    own: OwnOptions,
    constants: Preprocessing,
    *,
    plan_only: bool,
    reference: bool,
    workers: int | None,
    cluster: str | None,
    json_path: str | None,
) -> None:
    from edge_aver.calibration.own_corpus import plan_corpus, prepare_planned
    from edge_aver.corpora.store import store_name

    store = place.prepared(store_name(own.name, constants))
    planned = plan_corpus(_read_own(own), store=store, folds=own.folds, seed=own.seed)
    if plan_only:
        screens.show_plan(planned, json_path)
        return
    require("prepare")
    from edge_aver.export.front_end import front_end_plan

    with connected(cluster) as executor:
        summary, written = prepare_planned(
            planned,
            store=store,
            front_end=front_end_plan(place.artifacts, reference=reference),
            folds=own.folds,
            seed=own.seed,
            constants=constants,
            workers=workers,
            executor=executor,
        )
    screens.show_prepared(summary, json_path, written)


def _read_own(own: OwnOptions) -> "OwnCorpus":
    if own.corpus == "crema-d":
        from edge_aver.corpora.crema_d import find_crema_clips

        return find_crema_clips(own.data)
    from edge_aver.corpora.manifest import read_manifest
    from edge_aver.corpora.own import check_name

    labels = None if own.labels is None else [label.strip() for label in own.labels.split(",")]
    return read_manifest(own.data, name=check_name(own.name), labels=labels)


def train(
    arch: ArchOption,
    fold: Annotated[int, typer.Option("--fold", min=1, help="Subject-independent fold, from 1.")] = 1,
    corpus: Annotated[str, typer.Option("--corpus", help="A prepared corpus; a manifest by its --name.")] = "ravdess",
    backbone_weights: Annotated[
        str, typer.Option("--backbone-weights", metavar="imagenet|none|PATH", help="What the backbone starts from.")
    ] = "imagenet",
    freeze_backbone: Annotated[bool, typer.Option("--freeze-backbone", help="Train the fusion only.")] = False,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="At most this many.")] = 100,
    micro_batch: Annotated[int, typer.Option("--micro-batch", min=1, help="Clips in memory at once.")] = 4,
    seed: Annotated[int, typer.Option("--seed", help="Of the first weights and the order of clips.")] = 0,
    device: Annotated[str | None, typer.Option("--device", help="cpu or cuda; CUDA where present.")] = None,
    workspace: WorkspaceOption = WORKSPACE,
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
        load_fold(corpus, fold, store=place.prepared(corpus)),
        architecture=arch,
        backbone_weights=backbone_weights,
        checkpoints=place.checkpoints,
        cache=place.cache,
    )
    screens.show_trained(trained, json_path)
