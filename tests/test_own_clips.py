"""Anyone's clips, from a CSV file to a report: three labels and six subjects, by the commands alone."""

import json
import subprocess
import sys

import pytest

from edge_aver import cli
from edge_aver.benchmarks.results import latest_results
from edge_aver.bundle import find_artifacts
from edge_aver.calibration.folds import load_fold
from edge_aver.corpora.own import subject_number
from edge_aver.corpora.store import PreparedStore
from edge_aver.corpora.synthetic import write_clip
from edge_aver.workspace import Workspace

SUBJECTS = ("ann", "bob", "cyd", "dan", "eve", "fay")
LABELS = {"cheerful": 2, "furious": 4, "glum": 3}
SUITE = """
name = "tiny"
network_queries = 2
min_duration_s = 0.01
processes = 1
warmup_queries = 1
end_to_end_clips = 3
timeout_s = 600.0
seed = 1
"""


def run(workspace, *arguments):
    return cli._run([*map(str, arguments), "--workspace", str(workspace.root)])


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """The workspace after prepare, train, export and benchmark of a manifest in which clips share files."""
    pytest.importorskip("torch", reason="needs the extras that train")
    folder = tmp_path_factory.mktemp("own")
    rows = ["path,label,subject,start,end"]
    for actor, subject in enumerate(SUBJECTS, 1):
        for label, emotion in LABELS.items():
            write_clip(folder / "media" / f"{subject}-{label}.mp4", actor=actor, emotion=emotion, intensity=2)
            rows.append(f"media/{subject}-{label}.mp4,{label},{subject},,")
        rows.append(f"media/{subject}-glum.mp4,glum,{subject},0.5,2.5")
    (folder / "clips.csv").write_text("\n".join(rows))
    (folder / "tiny.toml").write_text(SUITE)
    workspace = Workspace(root=folder / "workspace")
    prepare = ("prepare", "--corpus", "manifest", "--data", folder / "clips.csv", "--name", "office")
    train = ("train", "--arch", "ca", "--corpus", "office", "--fold", 2, "--freeze-backbone", "--epochs", 2)
    export = ("export", "--arch", "ca", "--corpus", "office", "--fold", 2, "--target", "onnxruntime-cpu")
    assert run(workspace, *prepare, "--folds", 3, "--seed", 4, "--workers", 2) == 0
    assert run(workspace, *train, "--backbone-weights", "none") == 0
    assert run(workspace, *export, "--precision", "fp32") == 0
    assert run(workspace, "benchmark", "--corpus", "office", "--fold", 2, "--suite", folder / "tiny.toml") == 0
    return workspace


def test_the_store_holds_three_labels_and_parts_of_files(line):
    store = PreparedStore.open(line.prepared("office"))
    records = store.records()

    parts = [record for record in records if record.end_s]
    assert (store.labels, len(records), len(parts)) == (tuple(sorted(LABELS)), 24, 6)
    for record in parts:
        clip = store.load(record.id)
        assert not clip.face_found[9:].any()
        assert clip.face_found[:8].any()


def test_the_artifact_carries_labels_and_actors_of_its_fold(line):
    (artifact,) = find_artifacts(line.artifacts)
    fold = load_fold("office", 2, store=line.prepared("office"))

    assert artifact.path.name == "aver-ca-office-fold2-fp32.onnx"
    assert artifact.spec.labels == tuple(sorted(LABELS))
    assert artifact.spec.outputs[0].shape == ("batch", 3)
    assert (artifact.spec.train_actors, artifact.spec.test_actors) == (fold.train, fold.test)
    assert {*fold.train, *fold.validation, *fold.test} == set(map(subject_number, SUBJECTS))
    assert run(line, "verify", artifact.path) == 0


def test_the_result_is_of_the_test_subjects_and_end_to_end_agrees_with_the_store(line):
    (result,) = latest_results(line.results)
    fold = load_fold("office", 2, store=line.prepared("office"))

    predictions = {item.id: item.prediction for item in result.predictions}
    assert {item.actor for item in result.predictions} == set(fold.test)
    assert sorted(item.label for item in result.predictions) == ["cheerful"] * 2 + ["furious"] * 2 + ["glum"] * 4
    assert {len(item.logits) for item in result.predictions} == {3}
    assert len(result.end_to_end) == 3
    assert all(query.prediction == predictions[query.id] for query in result.end_to_end)


def test_the_report_says_three_labels_and_names_no_other(line):
    assert run(line, "report") == 0

    (page,) = line.reports.glob("*.html")
    text = page.read_text()
    assert "office, fold 2, 3 labels" in text
    assert all(label in text for label in LABELS)
    assert not any(label in text for label in ("surprised", "fearful", "disgust"))


def test_a_clip_is_recognised_with_the_labels_of_the_corpus(line, capsys):
    clip = next(line.root.parent.glob("media/*.mp4"))

    assert run(line, "run", clip, "--json", "-") == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(answer["probabilities"]) == set(LABELS)


def test_folds_made_anew_do_not_go_with_a_network_of_the_old_ones(line, capsys):
    folds = line.prepared("office") / "folds.toml"
    before = folds.read_text()
    fold = load_fold("office", 2, store=line.prepared("office"))
    folds.write_text(before.replace(str(fold.test[0]), "7").replace(str(fold.train[0]), str(fold.test[0])))
    try:
        export = ("export", "--arch", "ca", "--precision", "fp32", "--target", "onnxruntime-cpu")
        assert run(line, *export) == 1
        assert run(line, "verify", find_artifacts(line.artifacts)[0].path) == 1
    finally:
        folds.write_text(before)
    errors = capsys.readouterr().err.splitlines()
    assert all("train again" in line for line in errors if line.startswith("error: "))


@pytest.fixture
def manifest(tmp_path):
    """Twelve rows of six subjects; the files are empty, which a plan does not mind."""
    rows = [(f"{subject}-{label}.mp4", label, subject) for subject in SUBJECTS for label in ("glum", "cheerful")]
    for name, _, _ in rows:
        (tmp_path / name).touch()
    path = tmp_path / "clips.csv"
    path.write_text("\n".join(["path,label,subject", *(",".join(row) for row in rows)]))
    return path


def test_a_plan_shows_counts_and_writes_nothing(edge_aver, manifest, tmp_path):
    plan = ("prepare", "--corpus", "manifest", "--data", manifest, "--plan", "--folds", 3)
    status, out, _ = edge_aver(*plan)
    table = json.loads(edge_aver(*plan, "--json", "-")[1])

    assert status == 0
    assert "Corpus manifest: 12 clips of 12 files and 6 subjects\n2 labels: cheerful (6), glum (6)\n" in out
    assert (table["clips"], table["labels"], len(table["folds"])) == (12, {"cheerful": 6, "glum": 6}, 3)
    assert table["folds"][0]["test"] == {"subjects": 2, "clips": 4}
    assert not (tmp_path / "workspace").exists()


def test_a_plan_of_crema_d_counts_its_six_labels(edge_aver, tmp_path):
    for subject in (1001, 1002, 1003):
        for emotion in ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD"):
            (tmp_path / f"{subject}_DFA_{emotion}_XX.flv").touch()
    status, out, _ = edge_aver("prepare", "--corpus", "crema-d", "--data", tmp_path, "--plan")

    assert status == 0
    assert "Corpus crema-d: 18 clips of 18 files and 3 subjects" in out
    assert "6 labels: anger (3), disgust (3), fear (3), happy (3), neutral (3), sad (3)" in out
    assert "3 folds by subject" in out


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (("--folds", "2"), 1, "--folds 2: a fold tests, validates and trains on other subjects; give 3 or more"),
        (("--folds", "7"), 1, "--folds 7: there are 6 subjects"),
        (("--seed", "3"), 2, "--seed goes with --folds"),
        (("--name", "ravdess"), 1, "--name ravdess: is another corpus's"),
        (("--name", "Big Office"), 1, "--name 'Big Office' is part of file names"),
        (("--labels", "glum"), 1, "--labels glum: a network tells two labels or more apart"),
        (("--labels", "glum,sad"), 1, "6 mistakes; the first: "),
        (("--speech", "x"), 2, "--speech is not for corpus manifest"),
        (("--data", "none.csv"), 1, "none.csv: no such file"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(edge_aver, manifest, tmp_path, options, status, said):
    got = edge_aver("prepare", "--corpus", "manifest", "--data", manifest, "--plan", *options)

    assert (got[0], got[1]) == (status, "")
    assert got[2].splitlines()[-1].startswith("error: ")
    assert said in got[2].splitlines()[-1]
    assert not (tmp_path / "workspace").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("prepare --corpus manifest", "corpus manifest is read from a CSV file (path,label,subject)"),
        ("prepare --corpus crema-d --data . --name x", "--name is not for corpus crema-d"),
        ("prepare --corpus ravdess --data . --folds 3", "--folds is not for corpus ravdess"),
        ("prepare --corpus composite --plan", "--plan is not for corpus composite"),
    ],
)
def test_options_of_another_corpus_are_refused(edge_aver, arguments, said):
    status, _, err = edge_aver(*arguments.split())

    assert status == 2
    assert said in err


def test_training_without_a_store_says_how_to_prepare_one(edge_aver):
    status, _, err = edge_aver("train", "--arch", "ca", "--corpus", "office")

    assert status == 1
    assert "edge-aver prepare --corpus manifest --data CSV --name office" in err


MEASURED = """
import sys, time
from edge_aver import cli
from edge_aver.benchmarks.machine import process_memory

status, memory = cli._run(sys.argv[1:]), process_memory()
print(status, time.process_time(), memory.peak_bytes, file=sys.stderr)
"""


def test_a_plan_of_a_hundred_thousand_rows_takes_less_than_ten_seconds_and_a_gigabyte(tmp_path):
    """Rows that share files; the processor's seconds, since others may use the machine meanwhile."""
    files = [tmp_path / f"{number}.mp4" for number in range(50)]
    for file in files:
        file.touch()
    rows = (f"{files[k % 50].name},{'vwxyz'[k % 5]},s{k % 200},{k / 1000:g},{k / 1000 + 2:g}" for k in range(100_000))
    (tmp_path / "many.csv").write_text("\n".join(["path,label,subject,start,end", *rows]))
    plan = ["prepare", "--corpus", "manifest", "--data", tmp_path / "many.csv", "--plan", "--workspace", tmp_path]
    done = subprocess.run([sys.executable, "-c", MEASURED, *map(str, plan)], capture_output=True, text=True, check=True)

    status, seconds, peak_bytes = map(float, done.stderr.split())
    assert status == 0
    assert "100,000 clips of 50 files and 200 subjects" in done.stdout
    assert done.stdout.count("train 60,000 clips of 120 subjects, validation 20,000 clips of 40 subjects") == 5
    assert seconds < 10
    assert 10**7 < peak_bytes < 10**9
