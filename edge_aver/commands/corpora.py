"""What comes before a trained network: `prepare` and `train`."""

from pathlib import Path
from typing import Annotated

import typer

from edge_aver import screens
from edge_aver.cluster import connected
from edge_aver.commands.options import (
    CORPUS,
    WORKSPACE,
    ArchOption,
    ClusterOption,
    JsonOption,
    WorkersOption,
    WorkspaceOption,
    refuse,
)
from edge_aver.doctor import require
from edge_aver.spec import Preprocessing
from edge_aver.workspace import Workspace

__all__ = ["prepare", "train"]


def prepare(
    corpus: Annotated[
        str, typer.Option("--corpus", callback=CORPUS, metavar="ravdess|composite|synthetic", help="Reader.")
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
    workspace: WorkspaceOption = WORKSPACE,
    workers: WorkersOption = None,
    cluster: ClusterOption = None,
    json_path: JsonOption = None,
) -> None:
    """Turn a corpus into a prepared store: faces and audio features of every clip."""
    place = Workspace(root=workspace)
    if cluster is not None:  # workers are started elsewhere: what they read has one name for all
        place = Workspace(root=workspace.absolute())
        data, speech, faces = (path and path.absolute() for path in (data, speech, faces))
    if corpus == "composite":
        refuse(f"corpus {corpus}", {"--data": data, "--reference": reference or None})
        if speech is None or faces is None:
            raise typer.BadParameter("corpus composite joins recordings with faces: give --speech DIR and --faces ZIP")
        from edge_aver.corpora.composite import prepare_composite

        folder = place.prepared(corpus)
        with connected(cluster) as executor:
            summary = prepare_composite(
                speech, faces, folder=folder, draws=draws or 1, workers=workers, executor=executor
            )
    else:
        refuse(f"corpus {corpus}", {"--speech": speech, "--faces": faces, "--draws": draws})
        require("prepare")
        from edge_aver.corpora.catalog import prepare_corpus
        from edge_aver.export.front_end import front_end_plan

        front_end = front_end_plan(place.artifacts, reference=reference)
        with connected(cluster) as executor:
            summary = prepare_corpus(
                corpus, data=data, workspace=place, front_end=front_end, workers=workers, executor=executor
            )
    screens.show_prepared(summary, json_path)


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
        load_fold(corpus, fold),
        architecture=arch,
        backbone_weights=backbone_weights,
        checkpoints=place.checkpoints,
        cache=place.cache,
    )
    screens.show_trained(trained, json_path)
