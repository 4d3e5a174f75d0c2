"""A small trained network with its prepared clips, made once for all tests that need one."""

from dataclasses import replace

from edge_aver.calibration.folds import load_fold
from edge_aver.corpora.prepare import prepare
from edge_aver.corpora.ravdess import find_clips
from edge_aver.corpora.store import PreparedStore
from edge_aver.corpora.synthetic import draw_faces, write_clip
from edge_aver.export.front_end import front_end_plan
from edge_aver.models.pretraining import pretrain_backbone
from edge_aver.models.training import TrainingPlan, train
from edge_aver.spec import Preprocessing
from edge_aver.workspace import Workspace

ACTORS = (1, 5, *range(9, 25))
"""One of fold 1's test actors, one of its validation actors, and all that train."""


def make_workspace(root, *, architecture="sa", emotions=(2, 3, 4), plan=None):
    """A workspace as `prepare` and `train` leave one, with few clips and a briefly trained backbone."""
    workspace = Workspace(root=root)
    media = workspace.corpus("synthetic")
    for actor in ACTORS:
        for emotion in emotions:
            write_clip(
                media / f"01-01-{emotion + 1:02}-01-01-01-{actor:02}.mp4", actor=actor, emotion=emotion, intensity=2
            )
    clips, refusals = find_clips(media)
    prepare(
        clips,
        refusals,
        folder=workspace.prepared("synthetic"),
        corpus="synthetic",
        front_end=front_end_plan(workspace.artifacts),
        constants=Preprocessing(),
    )
    drawn = draw_faces(300, size_px=96, seed=0)
    weights = pretrain_backbone(
        drawn.pictures, drawn.labels, drawn.cues, out=root / "backbone.safetensors", steps=40, batch=8
    )
    fold = train_fold(clips)
    train(
        plan or TrainingPlan(freeze_backbone=True, epochs=12),
        PreparedStore.open(workspace.prepared("synthetic")),
        fold,
        architecture=architecture,
        backbone_weights=weights,
        checkpoints=workspace.checkpoints,
        cache=workspace.cache,
    )
    return workspace


def train_fold(clips):
    """Fold 1, less the actors of whom there are no clips."""
    fold = load_fold("synthetic", 1)
    present = {clip.actor for clip in clips}
    return replace(
        fold,
        validation=tuple(actor for actor in fold.validation if actor in present),
        test=tuple(actor for actor in fold.test if actor in present),
    )
