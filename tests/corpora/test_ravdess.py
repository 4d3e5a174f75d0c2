import pytest

from edge_aver.corpora.ravdess import Refusal, SourceClip, find_clips, parse_name
from edge_aver.errors import CorpusError
from edge_aver.spec import LABELS


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_a_name_is_seven_numbers():
    name = parse_name("01-02-08-01-02-01-24")
    assert (name.modality, name.channel, name.emotion, name.intensity) == (1, 2, 8, 1)
    assert (name.statement, name.repetition, name.actor) == (2, 1, 24)
    assert str(name) == "01-02-08-01-02-01-24"
    assert name.part == (1, 2)


@pytest.mark.parametrize(
    "stem", ["holiday", "01-01-01-01-01-01", "1-1-1-1-1-1-1", "01-01-01-01-01-01-0a", "01-01-01-01-01-01-٠١"]
)
def test_a_name_of_another_form_is_refused_with_the_form_expected(stem):
    with pytest.raises(CorpusError, match=f"^{stem}: not a RAVDESS name; expected MM-CC-EE-II-SS-RR-AA"):
        parse_name(stem)


@pytest.mark.parametrize(
    ("stem", "complaint"),
    [
        ("01-01-09-01-01-01-01", "emotion 09 is not one of RAVDESS's 01 to 08"),
        ("01-01-00-01-01-01-01", "emotion 00 is not"),
        ("01-01-01-01-01-01-25", "actor 25 is not one of RAVDESS's 01 to 24"),
        ("04-01-01-01-01-01-01", "modality 04"),
    ],
)
def test_a_number_out_of_range_is_named(stem, complaint):
    with pytest.raises(CorpusError, match=complaint):
        parse_name(stem)


def test_clips_are_found_at_any_depth_and_sorted_by_id(tmp_path):
    touch(
        tmp_path,
        "Video_Speech_Actor_02/Actor_02/01-01-05-02-01-01-02.mp4",
        "Video_Speech_Actor_01/Actor_01/01-01-08-01-02-01-01.MP4",
        "01-01-01-01-01-01-24.mp4",
    )
    clips, refusals = find_clips(tmp_path)
    assert [clip.id for clip in clips] == ["01-01-01-01-01-01-24", "01-01-05-02-01-01-02", "01-01-08-01-02-01-01"]
    assert [LABELS[clip.label] for clip in clips] == ["neutral", "angry", "surprised"]
    assert [clip.actor for clip in clips] == [24, 2, 1]
    assert clips[1].path == tmp_path / "Video_Speech_Actor_02/Actor_02/01-01-05-02-01-01-02.mp4"
    assert refusals == ()


def test_other_recordings_are_left_out_with_one_remark(tmp_path, capsys):
    touch(tmp_path, "01-01-01-01-01-01-01.mp4", "02-01-01-01-01-01-01.mp4", "01-02-01-01-01-01-01.mp4", "notes.txt")
    clips, refusals = find_clips(tmp_path)
    assert [clip.id for clip in clips] == ["01-01-01-01-01-01-01"]
    assert refusals == ()
    assert "left out 2 recordings" in capsys.readouterr().err


def test_a_foreign_name_and_a_second_copy_are_refused_one_line_each(tmp_path):
    touch(
        tmp_path,
        "a/01-01-01-01-01-01-01.mp4",
        "b/01-01-01-01-01-01-01.mp4",
        "holiday.mp4",
        "._holiday.mp4",
        ".trash/x.mp4",
    )
    clips, refusals = find_clips(tmp_path)
    first = tmp_path / "a/01-01-01-01-01-01-01.mp4"
    assert clips == (SourceClip(id=first.stem, label=0, actor=1, path=first),)
    assert refusals[0] == Refusal(
        path=tmp_path / "b/01-01-01-01-01-01-01.mp4", reason=f"the same clip was found before, at {first}"
    )
    assert refusals[1].path == tmp_path / "holiday.mp4"
    assert refusals[1].reason.startswith("not a RAVDESS name; expected")


def test_a_missing_or_empty_folder_is_named_with_what_was_looked_for(tmp_path):
    with pytest.raises(CorpusError, match=r"absent: no such folder; expected .*01-01-\*.mp4"):
        find_clips(tmp_path / "absent")
    touch(tmp_path, "02-01-01-01-01-01-01.mp4", "holiday.mp4")
    with pytest.raises(CorpusError, match=r"no RAVDESS clips; looked for .*01-01-\*.mp4, at any depth"):
        find_clips(tmp_path)


def test_the_real_clips_are_found(test_data):
    clips, refusals = find_clips(test_data / "ravdess")
    assert len(clips) == 11
    assert {clip.actor for clip in clips} == {1, 5}
    assert refusals == ()
