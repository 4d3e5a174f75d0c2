"""CREMA-D by its file names."""

import pytest

from edge_aver.corpora.crema_d import LABELS, CremaName, find_crema_clips, parse_crema_name
from edge_aver.errors import CorpusError


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"video")
    return folder


def test_a_name_tells_subject_sentence_emotion_and_level():
    assert parse_crema_name("1001_DFA_ANG_XX") == CremaName(subject=1001, sentence="DFA", emotion="ANG", level="XX")
    emotions = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
    assert tuple(LABELS[parse_crema_name(f"1091_IEO_{code}_LO").label] for code in emotions) == (
        "anger",
        "disgust",
        "fear",
        "happy",
        "neutral",
        "sad",
    )
    assert parse_crema_name("1040_ITH_SAD_X").level == "X"


@pytest.mark.parametrize(
    ("stem", "said"),
    [
        ("1001_DFA_ANG", "not a CREMA-D name; expected SSSS_TTT_EEE_LL"),
        ("01-01-03-01-01-01-01", "not a CREMA-D name"),
        ("1000_DFA_ANG_XX", "subject 1000 is not one of CREMA-D's 1001 to 1091"),
        ("1092_DFA_ANG_XX", "subject 1092"),
        ("1001_ABC_ANG_XX", "sentence 'ABC' is not one of CREMA-D's DFA, IEO"),
        ("1001_DFA_SUR_XX", "emotion 'SUR' is not one of CREMA-D's ANG, DIS, FEA, HAP, NEU, SAD"),
        ("1001_DFA_ANG_XL", "level 'XL'"),
        ("1001_dfa_ANG_XX", "sentence 'dfa'"),
    ],
)
def test_a_wrong_name_is_told_part_by_part(stem, said):
    with pytest.raises(CorpusError, match=said):
        parse_crema_name(stem)


def test_videos_are_found_at_any_depth_and_others_refused_by_name(tmp_path):
    touch(
        tmp_path,
        "VideoFlash/1002_IEO_SAD_HI.flv",
        "VideoFlash/1001_DFA_ANG_XX.flv",
        "converted/1001_DFA_ANG_XX.mp4",
        "VideoFlash/notes.mp4",
        "VideoFlash/.hidden/1003_DFA_ANG_XX.flv",
        "AudioWAV/1003_DFA_ANG_XX.wav",
    )
    corpus = find_crema_clips(tmp_path)

    assert [(clip.id, clip.actor, LABELS[clip.label]) for clip in corpus.clips] == [
        ("1001_DFA_ANG_XX", 1001, "anger"),
        ("1002_IEO_SAD_HI", 1002, "sad"),
    ]
    assert (corpus.name, corpus.labels, corpus.subjects) == ("crema-d", LABELS, {"1001": 1001, "1002": 1002})
    assert {(refusal.path.name, refusal.reason.split(";")[0]) for refusal in corpus.refusals} == {
        ("1001_DFA_ANG_XX.mp4", f"the same clip was found before, at {tmp_path / 'VideoFlash/1001_DFA_ANG_XX.flv'}"),
        ("notes.mp4", "not a CREMA-D name"),
    }


def test_a_folder_without_them_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="no such folder"):
        find_crema_clips(tmp_path / "none")
    with pytest.raises(CorpusError, match="no CREMA-D clips"):
        find_crema_clips(touch(tmp_path, "AudioWAV/1003_DFA_ANG_XX.wav"))
