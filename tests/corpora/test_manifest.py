"""Manifests as people write them: what is read from them, and how every mistake is told."""

import re
from pathlib import Path

import pytest

from edge_aver.corpora.manifest import read_manifest
from edge_aver.corpora.own import check_name, subject_number
from edge_aver.corpora.synthetic.generate import MARKER
from edge_aver.errors import CorpusError, LeakError

HEADER = "path,label,subject"


@pytest.fixture
def write(tmp_path):
    """Write a manifest of lines beside the files a.mp4 to d.mp4."""
    for name in "abcd":
        (tmp_path / f"{name}.mp4").write_bytes(name.encode())

    def write(*lines, header=HEADER, encoding="utf-8"):
        path = tmp_path / "clips.csv"
        path.write_bytes("\n".join([header, *lines]).encode(encoding))
        return path

    return write


def read(path, **options):
    return read_manifest(path, name="mine", **options)


def refused(path, **options):
    with pytest.raises(CorpusError) as caught:
        read(path, **options)
    return str(caught.value)


def test_clips_have_their_label_subject_file_and_part(write, tmp_path):
    path = write("a.mp4,sad,anna,,", "sub/../b.mp4,happy,7,1.5,", "b.mp4,sad,7,.5,2", header=f"{HEADER},start,end")
    corpus = read(path)

    clips = {(clip.path.name, clip.start_s, clip.end_s): clip for clip in corpus.clips}
    assert corpus.labels == ("happy", "sad")
    assert {key: corpus.labels[clip.label] for key, clip in clips.items()} == {
        ("a.mp4", 0.0, None): "sad",
        ("b.mp4", 1.5, None): "happy",
        ("b.mp4", 0.5, 2.0): "sad",
    }
    assert {clip.path for clip in corpus.clips} == {tmp_path / "a.mp4", tmp_path / "b.mp4"}
    assert [clip.id for clip in corpus.clips] == sorted({clip.id for clip in corpus.clips})
    assert corpus.subjects == {"7": 7, "anna": subject_number("anna")}
    assert (corpus.splits, corpus.files, corpus.clips_by_label()) == ({}, 2, {"happy": 1, "sad": 2})


def test_an_id_stays_whatever_other_rows_come_and_goes_with_the_part(write):
    first = read(write("a.mp4,x,s", "b.mp4,y,t")).clips
    more = read(write("c.mp4,y,u", "./a.mp4,x,s", "b.mp4,y,t")).clips
    parts = read(write("a.mp4,x,s,1", "b.mp4,y,t,", header=f"{HEADER},start")).clips

    assert {clip.id for clip in first} < {clip.id for clip in more}
    assert first[0].id not in {clip.id for clip in parts}
    assert re.fullmatch(r"a-[0-9a-f]{12}", first[0].id)


def test_subjects_have_numbers_that_depend_on_nobody_else():
    numbers = [subject_number(name) for name in ("1001", "01001", "anna", "Anna")]

    assert numbers[0] == 1001
    assert len(set(numbers)) == 4
    assert numbers[2] == 507_595_376_846
    assert all(10**11 <= number < 10**12 for number in numbers[1:])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_bom_quotes_spaces_empty_lines_and_other_columns_do_no_harm(write, capsys, encoding):
    path = write(
        '"a.mp4", sad ,anna,31', "", "b.mp4,froh & müde,ben,42", header="path, label,subject,age", encoding=encoding
    )
    corpus = read(path)

    assert corpus.labels == ("froh & müde", "sad")
    assert "columns that are not used: age" in capsys.readouterr().err


def test_labels_given_set_the_order_and_refuse_others(write):
    path = write("a.mp4,sad,s", "b.mp4,happy,t")

    assert read(path, labels=["sad", "angry", "happy"]).labels == ("sad", "angry", "happy")
    assert read(path, labels=["sad", "angry", "happy"]).remarks == ("no clip is labelled angry",)
    assert "line 3, column label: 'happy' is not one of --labels sad,angry" in refused(path, labels=["sad", "angry"])
    assert "twice" in refused(path, labels=["sad", "sad"])


@pytest.mark.parametrize(
    ("header", "row", "said"),
    [
        (HEADER, ",sad,s", "line 3, column path: empty"),
        (HEADER, "b.mp4,,s", "line 3, column label: empty"),
        (HEADER, "b.mp4,sad,", "line 3, column subject: empty"),
        (HEADER, "b.mp4,sad", "line 3, column subject: the row has 2 fields, the header 3"),
        (HEADER, "b.mp4,sad,s,9", "line 3, column subject: the row has 4 fields, the header 3"),
        (HEADER, "./a.mp4,sad,s", "line 3, column path: the same clip as on line 2: ./a.mp4"),
        (HEADER, "b.mp4,Happy,s", "line 3, column label: 'Happy' differs from 'happy' on line 2 in its case alone"),
        (HEADER, "b.mp4,sad,S", "line 3, column subject: 'S' differs from 's' on line 2 in its case alone"),
        (HEADER, "b.mp4,sa\x07d,s", r"line 3, column label: 'sa\x07d' holds a control character"),
        (HEADER, "missing.mp4,sad,s", "line 3, column path: no such file: "),
        (HEADER, ".,sad,s", "line 3, column path: no such file: "),
        (HEADER, '"b.mp4,sad,s', "line 3: not CSV"),
        (f"{HEADER},start", "b.mp4,sad,s,1:30", "line 3, column start: '1:30' is not a number of seconds, as 12.5"),
        (f"{HEADER},start", "b.mp4,sad,s,-1", "line 3, column start: '-1' is not a number of seconds"),
        (f"{HEADER},start", "b.mp4,sad,s,nan", "line 3, column start: 'nan' is not a number of seconds"),
        (f"{HEADER},end", "b.mp4,sad,s,0", "line 3, column end: 0 s is not after its start, 0 s"),
        (f"{HEADER},split", "b.mp4,sad,s,dev", "line 3, column split: 'dev' is not one of train, val, test"),
        (f"{HEADER},split", "b.mp4,sad,s,", "line 3, column split: 'empty' is not one of train, val, test"),
    ],
)
def test_a_mistake_names_file_line_and_column(write, header, row, said):
    fine = {HEADER: "", f"{HEADER},start": ",", f"{HEADER},end": ",", f"{HEADER},split": ",train"}[header]
    path = write(f"a.mp4,happy,s{fine}", row, header=header)

    assert refused(path).startswith(f"{path}: {said}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty; expected a header: path,label,subject[,split][,start][,end]"),
        (HEADER, "no rows below the header"),
        ("path;label;subject\n", "line 1, column path: not in the header (path;label;subject)"),
        ("path;label;subject\n", "columns are separated by commas"),
        ("path,label\na,b\n", "line 1, column subject: not in the header (path, label)"),
        ("path,label,subject,label\n", "line 1, column label: stands in the header twice"),
        (f"{HEADER}\na.mp4,x,s\nb.mp4,x,t\n", "column label: every row says 'x'"),
    ],
)
def test_a_file_that_is_no_manifest_is_refused(write, tmp_path, text, said):
    path = write()
    path.write_text(text)

    assert said in refused(path)


def test_what_is_not_there_or_not_text_is_refused(write, tmp_path):
    assert "no such file" in refused(tmp_path / "none.csv")
    assert "a folder" in refused(tmp_path)
    assert "line 3: not UTF-8 (byte 0xfc)" in refused(write("a.mp4,x,s", "b.mp4,müde,s", encoding="latin-1"))


def test_several_mistakes_are_told_together_and_counted(write, capsys):
    path = write("a.mp4,,s", "b.mp4,x,", "c.mp4,x,s")

    assert refused(path) == f"{path}: 2 mistakes; the first: {path}: line 2, column label: empty"
    assert capsys.readouterr().err.splitlines()[1] == f"{path}: line 3, column subject: empty"


def test_missing_files_are_counted_and_the_first_named(write, tmp_path):
    path = write("a.mp4,x,s", "e.mp4,y,s", "f.mp4,x,t")
    (tmp_path / "b.mp4").unlink()

    expected = f"2 of 3 files are missing; the first, line 3, column path: no such file: {tmp_path / 'e.mp4'}"
    assert refused(path) == f"{path}: {expected}"


def test_a_subject_in_two_splits_is_refused_with_both_rows(write):
    path = write("a.mp4,x,anna,train", "b.mp4,y,ben,test", "c.mp4,x,anna,test", header=f"{HEADER},split")

    with pytest.raises(LeakError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path}: line 4, column split: subject 'anna' is in test here and in train on line 2; a subject stands in one "
        "split"
    )
    assert read(write("a.mp4,x,anna,train", "b.mp4,y,ben,test", header=f"{HEADER},split")).splits == {
        "anna": "train",
        "ben": "test",
    }


def test_generated_clips_do_not_pass_for_recordings(write, tmp_path):
    (tmp_path / MARKER).touch()

    assert "edge-aver generated" in refused(write("a.mp4,x,s", "b.mp4,y,t"))


def test_clips_longer_than_the_window_are_remarked(write):
    path = write("a.mp4,x,s,1,4.6", "b.mp4,y,s,0,9", header=f"{HEADER},start,end")

    assert read(path).remarks == ("clips longer than 3.6 s, of which a network sees the beginning: 1",)


@pytest.mark.parametrize("name", ["ravdess", "synthetic", "crema-d", "a b", "A", "-a", "a--b", "", "../x", "x" * 41])
def test_names_that_cannot_be_a_corpus_are_refused(name):
    with pytest.raises(CorpusError, match="--name"):
        check_name(name)


def test_a_link_to_the_same_place_is_found_by_its_path(write, tmp_path):
    path = write(f"{tmp_path}/a.mp4,x,s", "a.mp4,y,s")

    assert "line 3, column path: the same clip as on line 2" in refused(Path(path))
