from dataclasses import replace

import pytest

from edge_aver.benchmarks.pairs import Pair, pair_sides
from edge_aver.benchmarks.sides import Prediction, Side
from edge_aver.errors import ComparisonError

NAME = "01-01-06-01-02-01-12"


def said(clip: str, prediction: str = "sad", **rest: str) -> Prediction:
    return Prediction(clip=clip, **{"label": "happy", "prediction": prediction, **rest})  # type: ignore[arg-type]


def side(*predictions: Prediction) -> Side:
    return Side(name="side", predictions=predictions)


def test_clips_pair_by_name_in_any_order() -> None:
    a = side(said("y", "sad", actor="1"), said("x", "happy", actor="2"))
    b = side(said("x", "calm"), said("y", "happy"))
    assert pair_sides(a, b) == (
        Pair(clip="x", actor="2", label="happy", a="happy", b="calm"),
        Pair(clip="y", actor="1", label="happy", a="sad", b="happy"),
    )


@pytest.mark.parametrize("other", [f"{NAME}.mp4", f"Actor_12/{NAME}.wav", f"C:\\data\\Actor_12\\{NAME}.mp4"])
def test_a_ravdess_name_is_one_clip_with_and_without_folder_and_suffix(other: str) -> None:
    (pair,) = pair_sides(side(said(NAME)), side(said(other)))
    assert (pair.clip, pair.actor) == (NAME, "12")


def test_further_composite_clips_of_a_recording_are_clips_of_their_own() -> None:
    a = side(said(NAME, "calm"), said(f"{NAME}.2", "sad"), said(f"{NAME}.10", "happy"))
    b = side(said(f"data/{NAME}.2.npz", "fearful"), said(f"{NAME}.10"), said(f"{NAME}.flac"))
    assert [(pair.clip, pair.actor, pair.a, pair.b) for pair in pair_sides(a, b)] == [
        (NAME, "12", "calm", "sad"),
        (f"{NAME}.10", "12", "happy", "sad"),
        (f"{NAME}.2", "12", "sad", "fearful"),
    ]


def test_a_stated_actor_goes_before_the_one_in_the_name() -> None:
    (pair,) = pair_sides(side(said(NAME)), side(said(NAME, actor="Ada")))
    assert pair.actor == "Ada"
    (pair,) = pair_sides(side(said("x", actor="07")), side(said("x", actor="7")))
    assert pair.actor == "7"


def test_the_same_clip_may_stand_in_several_folds() -> None:
    a = side(said(NAME, "sad", fold="1"), said(NAME, "happy", fold="two"))
    b = side(said(NAME, "calm", fold="two"), said(NAME, "sad", fold="1"))
    assert [(pair.a, pair.b) for pair in pair_sides(a, b)] == [("sad", "sad"), ("happy", "calm")]


def test_where_one_side_names_no_folds_clips_pair_by_name() -> None:
    (pair,) = pair_sides(side(said(NAME, "happy", fold="1")), side(said(NAME)))
    assert (pair.a, pair.b) == ("happy", "sad")


OTHER = "01-01-06-01-02-01-13"
REFUSED = {
    "A .* twice": (side(said(NAME), said(f"{NAME}.mp4")), side(said(NAME))),
    "B .* of fold 1 stands there twice": (side(said(NAME, fold="1")), side(*2 * [said(NAME, fold="1")])),
    "names no folds": (side(said(NAME, fold="1"), said(NAME, fold="2")), side(said(NAME))),
    rf"1 only in A \(such as {NAME}\), 2 only in B \(such as {OTHER}\)": (
        side(said(NAME), said("x", actor="1")),
        side(said("x", actor="1"), said(OTHER), said("y", actor="1")),
    ),
    rf"different clips: 1 only in B \(such as {OTHER}\);": (side(said(NAME)), side(said(NAME), said(OTHER))),
    "stand in other folds": (side(said(NAME, fold="1")), side(said(NAME, fold="2"))),
    "label 'happy' in A, 'calm' in B": (side(said(NAME)), side(said(NAME, label="calm"))),
    "actor '1' in A, '2' in B": (side(said("x", actor="1")), side(said("x", actor="2"))),
    "sha256 differ": (side(said(NAME, tensors_sha256="a")), side(said(NAME, tensors_sha256="b"))),
    "add a column 'actor'": (side(said("x.wav")), side(said("x.wav"))),
    rf"1 only in B \(such as {NAME}.crop.mp4\)": (side(said(NAME)), side(said(NAME), said(f"{NAME}.crop.mp4"))),
    "no RAVDESS name": (side(said("01-01-06-01-02-01-25")), side(said("01-01-06-01-02-01-25"))),
    "'sad' and 'Sad' differ in their case": (side(said(NAME)), side(said(NAME, "Sad"))),
}


@pytest.mark.parametrize("message", REFUSED)
def test_sides_that_cannot_be_paired_are_refused(message: str) -> None:
    with pytest.raises(ComparisonError, match=message):
        pair_sides(*REFUSED[message])


def test_tensors_known_on_one_side_alone_are_no_obstacle() -> None:
    a = side(said(NAME, tensors_sha256="a"))
    assert len(pair_sides(a, side(said(NAME)))) == len(pair_sides(a, replace(a, name="other"))) == 1
