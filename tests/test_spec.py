import json
from dataclasses import asdict, fields, replace
from itertools import pairwise

import pytest

from edge_aver.errors import ArtifactError
from edge_aver.spec import (
    AUDIO_FEATURES,
    LABELS,
    CalibrationManifest,
    ModelSpec,
    Parameters,
    Preprocessing,
    TensorSpec,
    provenance_note,
)

MANIFEST = CalibrationManifest(
    corpus="ravdess", fold=2, actors=(1, 2), clips=(("01-01-01-01-01-01-01", "ab" * 32), ("01-01-02", "cd" * 32))
)
PLAIN = ModelSpec(architecture="ca", corpus="ravdess", fold=2)
FULL = ModelSpec(
    architecture="sa",
    corpus="synthetic",
    fold=1,
    train_actors=(9, 10),
    validation_actors=(5, 6),
    test_actors=(1, 2),
    inputs=(TensorSpec(name="faces", dtype="uint8", shape=("batch", 15, 224, 224, 3)),),
    preprocessing=Preprocessing(window_s=2.4, segment_offsets=(0, 1)),
    parameters=Parameters(deployed=13_660_000, paper=14_950_000),
    backbone_weights="imagenet",
    frozen_backbone=True,
    checkpoint_sha256="ef" * 32,
    precision="int8",
    recipe_sha256="01" * 32,
    calibration=MANIFEST,
    tool_versions={"torch": "2.9", "nncf": "3.0"},
)


@pytest.mark.parametrize("spec", [PLAIN, FULL])
def test_a_spec_comes_back_from_one_line_of_json(spec):
    text = spec.to_json()
    assert "\n" not in text
    assert ModelSpec.from_json(text, where="a file") == spec


def test_the_tensors_are_those_of_the_clip_contract():
    assert [(item.name, item.dtype, item.shape) for item in (*PLAIN.inputs, *PLAIN.outputs)] == [
        ("faces", "uint8", ("batch", 15, 224, 224, 3)),
        ("audio", "float32", ("batch", 15, 128)),
        ("logits", "float32", ("batch", 8)),
    ]
    assert Preprocessing().audio_features == AUDIO_FEATURES == 128
    assert Preprocessing().step_features == 32


def test_labels_stand_in_the_order_of_ravdess():
    assert PLAIN.labels == LABELS
    assert (LABELS[0], LABELS[4], LABELS[7]) == ("neutral", "angry", "surprised")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"mood": "good"}, "unknown key 'mood'"),
        ({"format_version": 2}, "format_version 2, this edge-aver reads 1"),
        ({"format_version": None}, "format_version None"),
        ({"preprocessing": {**asdict(Preprocessing()), "window_ms": 3}}, "window_ms"),
        ({"inputs": [{"name": "faces"}]}, "dtype"),
        ({"labels": None}, "NoneType"),
        ({"calibration": {"corpus": "ravdess"}}, "fold"),
    ],
)
def test_what_is_no_spec_is_one_line_that_names_the_file(change, told):
    text = json.dumps({**asdict(FULL), **change})
    with pytest.raises(ArtifactError, match=told) as caught:
        ModelSpec.from_json(text, where="sa.onnx")
    assert str(caught.value).startswith("sa.onnx: ")


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null"])
def test_what_is_no_json_table_is_refused(text):
    with pytest.raises(ArtifactError, match=r"sa\.onnx"):
        ModelSpec.from_json(text, where="sa.onnx")


def test_a_missing_field_is_named():
    table = asdict(FULL)
    del table["architecture"]
    with pytest.raises(ArtifactError, match="architecture"):
        ModelSpec.from_json(json.dumps(table), where="sa.onnx")


@pytest.mark.parametrize("name", [item.name for item in fields(Preprocessing)])
def test_every_constant_changes_the_digest(name):
    constants = Preprocessing()
    value = getattr(constants, name)
    other = value + "!" if isinstance(value, str) else value[:-1] if isinstance(value, tuple) else value + 1
    assert replace(constants, **{name: other}).digest() != constants.digest()


def test_equal_constants_have_the_same_digest():
    assert Preprocessing().digest() == replace(Preprocessing(window_s=1.0), window_s=3.6).digest()
    assert len(Preprocessing().digest()) == 64


def test_every_part_of_a_manifest_changes_its_digest():
    others = {
        replace(MANIFEST, corpus="composite").digest(),
        replace(MANIFEST, fold=3).digest(),
        replace(MANIFEST, actors=(1,)).digest(),
        replace(MANIFEST, clips=MANIFEST.clips[:1]).digest(),
    }
    assert len(others | {MANIFEST.digest()}) == 5


def test_frames_stand_in_the_middle_of_their_fifteenths():
    times = Preprocessing().frame_times_s()
    assert len(times) == 15
    assert times[0] == pytest.approx(0.12)
    assert times[-1] == pytest.approx(3.48)
    assert all(after - before == pytest.approx(0.24) for before, after in pairwise(times))


def test_corpora_that_show_no_people_say_so():
    assert "Synthetic actors" in FULL.note
    assert "unrelated faces" in provenance_note("composite")
    assert PLAIN.note is None
