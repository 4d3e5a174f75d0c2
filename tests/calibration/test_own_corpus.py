"""Clips of one's own from the manifest to the store: the store follows the manifest, and its folds stay."""

from concurrent.futures import ThreadPoolExecutor

import fake_front_end
import pytest

from edge_aver.calibration.folds import FOLDS_FILE, load_fold, read_folds
from edge_aver.calibration.own_corpus import plan_corpus, prepare_planned
from edge_aver.corpora import prepare as preparing
from edge_aver.corpora.manifest import read_manifest
from edge_aver.corpora.own import subject_number
from edge_aver.corpora.store import PreparedStore
from edge_aver.errors import CorpusError
from edge_aver.spec import Preprocessing

SMALL = Preprocessing(face_size_px=8)
SUBJECTS = ("ann", "bob", "cyd", "dan", "eve", "fay")
LABELS = ("calm", "glad", "sour")


@pytest.fixture
def table(tmp_path):
    """Rows of a manifest, one clip of each label a subject, and their files."""
    rows = []
    for subject in SUBJECTS:
        for label in LABELS:
            name = f"{subject}-{label}.mp4"
            (tmp_path / name).write_bytes(name.encode())
            rows.append((name, label, subject))
    return rows


def write(tmp_path, rows, header="path,label,subject"):
    path = tmp_path / "clips.csv"
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]))
    return path


def planned(tmp_path, rows, *, header="path,label,subject", labels=None, **options):
    corpus = read_manifest(write(tmp_path, rows, header), name="mine", labels=labels)
    return plan_corpus(corpus, store=tmp_path / "store", **options)


def prepared(tmp_path, rows, *, header="path,label,subject", labels=None, **options):
    plan = planned(tmp_path, rows, header=header, labels=labels, **options)
    with ThreadPoolExecutor(1) as executor:
        return prepare_planned(
            plan,
            store=tmp_path / "store",
            front_end=fake_front_end.FakePlan(),
            constants=SMALL,
            workers=1,
            executor=executor,
            **options,
        )


def labels_by_file(tmp_path):
    store = PreparedStore.open(tmp_path / "store")
    return {record.source.name: store.labels[record.label] for record in store.records()}


def inodes(tmp_path):
    return {path.name: path.stat().st_mtime_ns for path in (tmp_path / "store" / "clips").glob("*.npz")}


def test_a_plan_writes_nothing_and_counts_what_folds_would_hold(tmp_path, table):
    plan = planned(tmp_path, table, folds=3, seed=1)

    assert not (tmp_path / "store").exists()
    assert plan.origin == "3 folds by subject, stratified by label, seed 1"
    for sizes in plan.sizes():
        assert {part: (size.subjects, size.clips) for part, size in sizes.items()} == {
            part: (2, 6) for part in ("train", "validation", "test")
        }


def test_the_store_holds_labels_and_folds_of_the_manifest(tmp_path, table):
    summary, plan = prepared(tmp_path, table, folds=3)

    store = PreparedStore.open(tmp_path / "store")
    assert (summary.prepared, store.corpus, store.labels) == (18, "mine", LABELS)
    assert labels_by_file(tmp_path) == {name: label for name, label, _ in table}
    file = read_folds(tmp_path / "store" / FOLDS_FILE)
    assert (file.folds, file.subjects) == (plan.splits, {name: subject_number(name) for name in SUBJECTS})
    assert load_fold("mine", 3, store=tmp_path / "store").test == plan.splits[2].test


def test_folds_stay_until_others_are_asked_for(tmp_path, table):
    _, first = prepared(tmp_path, table, folds=3, seed=5)
    _, kept = prepared(tmp_path, table)
    _, other = prepared(tmp_path, table, folds=4)

    assert (kept.splits, kept.kept) == (first.splits, True)
    assert len(other.splits) == len(read_folds(tmp_path / "store" / FOLDS_FILE).folds) == 4


def test_five_folds_or_as_many_as_there_are_subjects_are_made_unasked(tmp_path, table):
    assert len(planned(tmp_path, table).splits) == 5
    assert len(planned(tmp_path, table[:12]).splits) == 4
    few = planned(tmp_path, table[:6])
    assert (few.splits, few.origin) == ((), "none: 2 subjects are too few to test, validate and train on")


def test_a_new_subject_is_told_to_stand_in_no_fold(tmp_path, table):
    prepared(tmp_path, table[:15], folds=3)

    plan = planned(tmp_path, table)
    assert plan.remarks == ("in no fold: subject fay; make folds anew with --folds K, then train again",)


def test_a_split_column_is_the_one_fold(tmp_path, table):
    parts = dict(zip(SUBJECTS, ("test", "val", "train", "train", "train", "test"), strict=True))
    rows = [(*row, parts[row[2]]) for row in table]
    _, plan = prepared(tmp_path, rows, header="path,label,subject,split")

    fold = load_fold("mine", 1, store=tmp_path / "store")
    assert fold.test == tuple(sorted(map(subject_number, ("ann", "fay"))))
    assert (fold.validation, len(plan.splits)) == ((subject_number("bob"),), 1)
    with pytest.raises(CorpusError, match="leave one of both out"):
        planned(tmp_path, rows, header="path,label,subject,split", folds=3)


def test_a_label_that_no_training_clip_has_is_told(tmp_path, table):
    rows = [row for row in table if row[1] != "sour" or row[2] == "ann"]
    plan = planned(tmp_path, rows, folds=3)

    (fold,) = [split.index for split in plan.splits if subject_number("ann") in split.test]
    assert f"fold {fold}: no train clip is labelled sour" in plan.remarks
    assert sum("no test clip is labelled sour" in remark for remark in plan.remarks) == 2


def test_a_subject_without_a_usable_clip_stands_in_no_fold(tmp_path, table, capsys):
    for label in LABELS:
        (tmp_path / f"eve-{label}.mp4").write_bytes(b"bad")
    summary, plan = prepared(tmp_path, table, folds=5)

    assert len(summary.refused) == 3
    assert subject_number("eve") not in {actor for split in plan.splits for actor in split.test}
    assert "in no fold, since no clip could be prepared: subject eve" in capsys.readouterr().err


def test_a_row_that_is_gone_takes_its_clip_with_it(tmp_path, table, capsys):
    prepared(tmp_path, table)
    summary, _ = prepared(tmp_path, table[:-1])

    assert (summary.prepared, summary.reused) == (0, 17)
    assert "fay-sour.mp4" not in labels_by_file(tmp_path)
    assert "clips removed since they are no longer listed: 1;" in capsys.readouterr().err


def test_another_manifest_under_the_same_name_is_refused(tmp_path, table):
    prepared(tmp_path, table[:9])
    before = inodes(tmp_path)

    with pytest.raises(CorpusError, match="9 clips of which none stands in this manifest"):
        prepared(tmp_path, table[9:])
    assert inodes(tmp_path) == before


def test_renamed_added_and_reordered_labels_cost_no_decoding(tmp_path, table, monkeypatch):
    prepared(tmp_path, table, folds=3)
    digests = {record.id: record.tensors_sha256 for record in PreparedStore.open(tmp_path / "store").records()}

    renamed = [(name, {"calm": "quiet"}.get(label, label), subject) for name, label, subject in table]
    summary, _ = prepared(tmp_path, renamed, labels=["sour", "quiet", "new", "glad"])
    store = PreparedStore.open(tmp_path / "store")
    assert (summary.prepared, summary.reused) == (0, 18)
    assert store.labels == ("sour", "quiet", "new", "glad")
    assert labels_by_file(tmp_path) == {name: label for name, label, _ in renamed}
    assert {record.id: record.tensors_sha256 for record in store.records()} == digests


def test_a_clip_whose_label_the_store_lost_is_no_other_label(tmp_path, table):
    prepared(tmp_path, table)
    PreparedStore.create(tmp_path / "store", "mine", SMALL, "fake", ("glad", "sour", "other"))

    with pytest.raises(CorpusError, match="is labelled 'calm', which is none of the store's labels"):
        PreparedStore.open(tmp_path / "store").records()


def test_a_clip_of_another_person_is_rewritten_not_decoded(tmp_path, table):
    prepared(tmp_path, table)
    summary, _ = prepared(tmp_path, [*table[:-1], (*table[-1][:2], "ann")])

    records = {record.source.name: record for record in PreparedStore.open(tmp_path / "store").records()}
    assert (summary.prepared, records["fay-sour.mp4"].actor) == (0, subject_number("ann"))


def test_parts_of_one_file_are_clips_of_their_own_and_it_is_hashed_once(tmp_path, table, monkeypatch):
    hashed = []
    digest = preparing.sha256_file
    monkeypatch.setattr(preparing, "sha256_file", lambda path: hashed.append(path.name) or digest(path))
    parts = [(n // 2, n // 2 + 2 + n % 2) for n in range(18)]
    rows = [("ann-calm.mp4", label, s, *map(str, part)) for (_, label, s), part in zip(table, parts, strict=True)]
    prepared(tmp_path, rows, header="path,label,subject,start,end")

    store = PreparedStore.open(tmp_path / "store")
    records = store.records()
    assert hashed == ["ann-calm.mp4"]
    assert sorted((record.start_s, record.end_s) for record in records) == parts
    assert len({record.tensors_sha256 for record in records}) == 18
    assert prepared(tmp_path, rows, header="path,label,subject,start,end")[0].reused == 18
