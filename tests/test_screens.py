"""Every screen and JSON with a figure of clips that are not people's own says so."""

import json
from pathlib import Path

import pytest

from edge_aver import screens
from edge_aver.benchmarks.advice import Advice
from edge_aver.bundle import Artifact
from edge_aver.corpora.prepare import PrepareSummary
from edge_aver.models.training import TrainedNetwork
from edge_aver.runtime import Prediction
from edge_aver.spec import ModelSpec, provenance_note


def prepared(spec):
    return PrepareSummary(corpus=spec.corpus, prepared=3, reused=0, refused=(), clips_with_missing_faces=())


def trained(spec):
    return TrainedNetwork(path=Path("checkpoint"), spec=spec, history=(), validation_accuracy=0.5)


def artifact(spec):
    return Artifact(path=Path("a.onnx"), target="onnxruntime-cpu", runtime="onnxruntime", precision="int8", spec=spec)


PREDICTION = Prediction(label="sad", probabilities={"sad": 1.0}, stages_s={}, total_s=0.1, face_found=(True,))

SCREENS = {
    "prepare": lambda spec, path: screens.show_prepared(prepared(spec), path),
    "train": lambda spec, path: screens.show_trained(trained(spec), path),
    "export": lambda spec, path: screens.show_artifacts([artifact(spec)], path),
    "run": lambda spec, path: screens.show_prediction(artifact(spec), Path("clip.mp4"), PREDICTION, path),
}


ADVICE = Advice(target="onnxruntime-cpu", network="sa, [x] fold 1", precision="int8", reason="twice as fast")


def test_what_to_ship_stands_after_an_export(capsys):
    spec = ModelSpec(architecture="sa", corpus="ravdess", fold=1)
    screens.show_artifacts([artifact(spec)], None, [ADVICE])
    assert capsys.readouterr().out.splitlines()[-1] == "Ship int8 of sa, [x] fold 1 on onnxruntime-cpu: twice as fast"
    screens.show_artifacts([artifact(spec)], "-", [ADVICE])
    assert json.loads(capsys.readouterr().out)[0]["advice"]["precision"] == "int8"


NAMES = {"composite": ["Composite clips"], "synthetic": ["Synthetic actors"], "ravdess": []}


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("corpus", NAMES)
def test_the_note_of_a_corpus_stands_on_every_screen(capsys, screen, corpus):
    spec, note = ModelSpec(architecture="sa", corpus=corpus, fold=1), provenance_note(corpus)

    SCREENS[screen](spec, None)
    text = " ".join(capsys.readouterr().out.split())
    SCREENS[screen](spec, "-")
    table = json.loads(capsys.readouterr().out)

    assert text
    assert [name for name in ("Composite clips", "Synthetic actors") if name in text] == NAMES[corpus]
    assert (note or "") in text
    assert (table[0] if isinstance(table, list) else table)["note"] == note
