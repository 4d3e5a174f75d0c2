"""The faces of a study: FER2013's, else those of a prepared corpus, else made-up ones."""

from pathlib import Path

import numpy as np

from edge_aver.calibration.draw import calibration_clips, draw_calibration
from edge_aver.calibration.folds import load_fold
from edge_aver.corpora.fer2013_parts import read_parts
from edge_aver.corpora.golden import golden_clips
from edge_aver.corpora.store import PreparedStore
from edge_aver.corpora.study_faces import StudyFaces, enlarged_faces
from edge_aver.spec import Preprocessing
from edge_aver.workspace import Workspace

__all__ = ["choose_faces"]

_CORPORA = ("ravdess", "composite", "synthetic")


def choose_faces(count: int, place: Workspace, data: Path | None, *, seed: int) -> StudyFaces:
    """Draw `count` faces for calibration and queries; those of a corpus are of its first fold's training actors.

    Raises:
        CorpusError: `data` is no FER2013, or a prepared store is damaged.
    """
    if data is not None:
        return enlarged_faces(read_parts(data, ("train",))["train"], count, seed=seed)
    for corpus in _CORPORA:
        if (place.prepared(corpus) / "store.json").is_file():
            store, fold = PreparedStore.open(place.prepared(corpus), Preprocessing()), load_fold(corpus, 1)
            clips = calibration_clips(store, draw_calibration(store, fold, count, seed=seed))
            shown = [clip.faces[clip.face_found][0] for clip in clips if clip.face_found.any()]
            return StudyFaces(pixels=np.stack(shown), origin=f"{len(shown)} clips of {corpus}, training actors, fold 1")
    golden = golden_clips(1, Preprocessing())["faces"][0]
    return StudyFaces(pixels=golden, origin="made-up faces: nothing is prepared here", real=False)
