"""`edge-aver compare`: its screen, its JSON, and its exit statuses."""

import json

import pytest
from outcomes import check_error
from prediction_files import clip_name, write_lines, write_predictions

from edge_aver import cli
from edge_aver.benchmarks.machine import Machine
from edge_aver.benchmarks.results import ArtifactRecord, ClipPrediction, ConditionPredictions, Result, write_result
from edge_aver.benchmarks.runs import NetworkRun
from edge_aver.benchmarks.suites import load_suite
from edge_aver.spec import ModelSpec

ALL_BUT_ONE_IN_TEN = [(actor, index) for actor in range(1, 25) for index in range(0, 60, 10)]
ONE_OF_TWELVE = [(actor, 3) for actor in range(1, 13)]
LEVELS = (1.0, 1.002, 1.0, 1.001)
"""Of four processes."""


@pytest.fixture
def compare(capsys):
    """Run `edge-aver compare` in this process: (status, standard output, standard error)."""

    def run(*arguments):
        status = cli._run(["compare", *map(str, arguments)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def sides(tmp_path):
    """A is always right; of the others each is named for the verdict it gets against A."""
    wrong = {"A": [], "PASS": [], "FAIL": ALL_BUT_ONE_IN_TEN, "INCONCLUSIVE": ONE_OF_TWELVE}
    return {name: write_predictions(tmp_path / f"{name}.csv", wrong=clips) for name, clips in wrong.items()}


@pytest.mark.parametrize(("verdict", "status"), [("PASS", 0), ("FAIL", 3), ("INCONCLUSIVE", 4)])
def test_the_gate_alone_turns_a_verdict_into_an_exit_status(compare, sides, verdict, status):
    plain_status, plain, remarks = compare(sides["A"], sides[verdict])
    gated_status, gated, error = compare(sides["A"], sides[verdict], "--gate", "accuracy")

    assert (plain_status, remarks, gated_status) == (0, "", status)
    assert plain == gated
    assert f"\n{verdict} at a 1-point margin: " in plain
    assert len(error.splitlines()) == (status != 0)
    assert error.startswith("error: the accuracy gate " * (status != 0))


def test_the_screen_tells_every_figure_at_80_columns(compare, sides):
    out = compare(sides["A"], sides["FAIL"])[1]

    text = " ".join(out.split())
    for part in (
        "A A.csv B FAIL.csv",
        "A 1440/1440 100.0 99.7 to 100.0 99.6 to 100.0",
        "B 1296/1440 90.0 88.3 to 91.4 88.0 to 91.7",
        "neutral 192 48 0 0",
        "all 1440 144 0 0",
        "B - A: -10.00 points, 1440 clips of 24 actors",
        "95 % interval over actors: -10.00 to -10.00 (bootstrap, 10,000 draws, seed 2026)",
        "95 % interval over clips: -11.67 to -8.48",
        "McNemar, exact, two-sided: p = 8.97e-44",
        "FAIL at a 1-point margin: B loses more",
    ):
        assert part in text
    assert max(map(len, out.splitlines())) <= 80


def test_json_holds_what_the_screen_says_unrounded(compare, sides, tmp_path):
    path = tmp_path / "verdict.json"
    status, out, err = compare(sides["A"], sides["INCONCLUSIVE"], "--json", "-", "--gate", "accuracy")
    compare(sides["A"], sides["INCONCLUSIVE"], "--json", path)

    table = json.loads(out)
    assert (status, err.count("\n")) == (4, 1)
    assert json.loads(path.read_text()) == table
    assert table["mcnemar_p"] == 2.0**-11
    assert table["flips"] == {"clips": 1440, "right_to_wrong": 12, "wrong_to_right": 0, "both_wrong_changed": 0}
    assert table["flips_by_label"]["sad"]["right_to_wrong"] == 12
    assert table["accuracy_a"].items() >= {"correct": 1440, "total": 1440, "rate": 1.0}.items()
    assert table["accuracy_b"]["interval_98"]["low"] < table["accuracy_b"]["interval_95"]["low"] < 1428 / 1440
    assert table["difference"] == -12 / 1440
    assert table["interval"]["low"] < -12 / 1440 < table["interval"]["high"] < 0
    assert table["clips_needed"] > 1440
    assert (
        table.items()
        >= {
            **{"verdict": "INCONCLUSIVE", "margin": 1.0, "level": 0.95, "clips": 1440, "actors": 24},
            **{"seed": 2026, "draws": 10_000, "note": None, "a": "A.csv", "invalid": []},
        }.items()
    )


def test_the_margin_moves_the_verdict(compare, sides):
    assert "PASS at a 2.5-point margin" in compare(sides["A"], sides["INCONCLUSIVE"], "--margin", "2.5")[1]
    assert "\nFAIL at" not in compare(sides["A"], sides["FAIL"], "--margin", "11")[1]


@pytest.fixture
def results(tmp_path):
    """An fp32 and an INT8 result of which the latter says otherwise once where it only listens."""
    paths = {}
    for precision, heard in (("fp32", "sad"), ("int8", "calm")):
        clips = [clip(index, heard if index == 7 else "sad") for index in range(16)]
        whole = tuple(clip(index, "sad") for index in range(16))
        conditions = tuple(
            ConditionPredictions(name=name, predictions=tuple(clips)) for name in ("audio", "missing-faces-5")
        )
        result = measured(precision, predictions=whole, conditions=conditions)
        paths[precision] = write_result(result, tmp_path)
    return paths


def clip(index, said):
    return ClipPrediction(
        id=f"clip-{index}", tensors_sha256="ab", actor=1 + index // 8, label="sad", prediction=said, logits=(0.0,)
    )


def measured(precision, **values):
    machine = Machine(architecture="x", cpu="c", cpu_flags=(), cpus=1, memory_bytes=None, system="s", python="p")
    record = ArtifactRecord(
        name=f"a-{precision}", target="openvino-cpu", runtime="openvino", precision=precision, files={}
    )
    return Result(
        artifact=record,
        spec=ModelSpec(architecture="sa", corpus="synthetic", fold=1),
        suite=load_suite("smoke"),
        machine=machine,
        tool_versions={},
        started_utc="2026-11-23T03:18:00.123Z",
        executed_precisions={},
        **values,
    )


@pytest.mark.parametrize(
    ("options", "told", "lost"),
    [
        ((), "fold 1\n", 0),
        (("--modality", "both"), "fold 1\n", 0),
        (("--modality", "audio"), "fold 1, audio alone\n", 1),
        (("--missing-faces", "5"), "fold 1, 5 of 15 faces missing\n", 1),
    ],
)
def test_a_condition_of_two_results_is_compared(compare, results, options, told, lost):
    status, out, _ = compare(results["fp32"], results["int8"], *options)
    table = json.loads(compare(results["fp32"], results["int8"], *options, "--json", "-")[1])

    assert status == 0
    assert f"B  sa int8 on openvino-cpu, synthetic, {told}" in out
    assert table["flips"]["right_to_wrong"] == lost


def test_a_condition_that_is_not_there_is_one_line(compare, results, sides):
    check_error(
        compare(results["fp32"], results["int8"], "--modality", "visual"), 1, "accuracy, faces alone was not measured"
    )
    check_error(compare(sides["A"], sides["PASS"], "--modality", "audio"), 1, "A.csv", "names no condition")


def test_one_actor_gets_no_interval_over_actors(compare, tmp_path):
    path = write_predictions(tmp_path / "a.csv", actors=1)

    status, out, _ = compare(path, path)

    assert status == 0
    assert "over actors:" not in out
    assert "One actor says nothing about others" in out
    assert "INCONCLUSIVE at a 1-point margin: about 368 clips, of 7 actors with 60 each" in " ".join(out.split())


def test_folders_of_folds_are_pooled(compare, tmp_path):
    for side in "ab":
        (tmp_path / side).mkdir()
        for fold in (1, 2):
            rows = (f"{clip_name(actor, 0)},neutral,calm,k{fold}" for actor in range(4 * fold - 3, 4 * fold + 1))
            write_lines(tmp_path / side / f"{fold}.csv", "clip,label,prediction,fold", *rows)

    status, out, _ = compare(tmp_path / "a", tmp_path / "b")

    assert status == 0
    assert "8 clips of 8 actors" in out


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ("clip,label,prediction\nx,sad,sad", None, ("B.csv", "cannot be read")),
        ("clip,label\nx,sad", "", ("A.csv", "'prediction'")),
        ("clip,label,prediction\nx,sad,sad", "clip,label,prediction\nx,sad,sad", ("clip x", "column 'actor'")),
        (
            "clip,label,prediction,actor\nx,sad,sad,1",
            "clip,label,prediction,actor\ny,sad,sad,1",
            ("different clips", "1 only in A (such as x)", "1 only in B (such as y)"),
        ),
        (
            "clip,label,prediction,actor\nx,sad,sad,1",
            "clip,label,prediction,actor\nx,calm,sad,1",
            ("clip x", "'sad' in A, 'calm' in B"),
        ),
    ],
)
def test_what_cannot_be_compared_is_one_line(compare, tmp_path, a, b, words):
    paths = [tmp_path / "A.csv", tmp_path / "B.csv"]
    for path, content in zip(paths, (a, b), strict=True):
        if content is not None:
            path.write_text(content)

    check_error(compare(*paths, "--gate", "accuracy"), 1, *words)


def test_a_json_file_that_is_no_result_is_one_line(compare, tmp_path):
    path = tmp_path / "a.json"
    path.write_text("{}")

    check_error(compare(path, path), 1, "a.json", "not a benchmark result")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--margin", "0"), ("--margin", "0; expected more")),
        (("--margin", "nan"), ("nan; expected",)),
        (("--margin", "wide"), ("--margin", "number")),
        (("--gate", "beauty"), ("beauty", "known: accuracy, speed")),
        (("--gate", "speed", "--modality", "audio"), ("are for accuracy",)),
        (("--modality", "smell"), ("smell", "known: both, audio, visual")),
        (("--modality", "audio,visual"), ("one --modality",)),
        (("--modality", "audio", "--missing-faces", "5"), ("one --modality",)),
        (("--missing-faces", "15"), ("'15'", "1 to 14")),
    ],
)
def test_a_wrong_option_is_a_usage_error(compare, sides, arguments, words):
    check_error(compare(sides["A"], sides["PASS"], *arguments), 2, *words, "edge-aver compare --help")


def test_both_sides_must_be_given(compare, sides):
    check_error(compare(sides["A"]), 2, "B")


@pytest.mark.parametrize(
    ("slower", "verdict", "status"), [(1.0, "PASS", 0), (1.2, "FAIL", 3), (1.05, "INCONCLUSIVE", 4)]
)
def test_the_speed_gate_tells_a_ratio_and_an_exit_status(compare, tmp_path, slower, verdict, status):
    paths = [_timed(tmp_path / name, factor) for name, factor in (("a", 1.0), ("b", slower))]

    code, out, error = compare(*paths, "--gate", "speed")

    told = "not significant" if slower == 1.0 else "significant"
    assert f"Network latency, B over A: {slower:.3f} (95 % " in out
    assert f"over 4 and 4 processes), {told}\nEnd to end, B over A: not measured in both\n" in out
    assert f"\n{verdict} at a tolerance of 5 %: " in out
    assert (code, len(error.splitlines())) == (status, int(status != 0))
    assert json.loads(compare(*paths, "--gate", "speed", "--json", "-")[1])["verdict"] == verdict


def _timed(folder, factor):
    """A result with latencies; its place."""
    latency_s = tuple(factor * (0.1 + 0.001 * (index % 7)) for index in range(40))
    runs = tuple(
        NetworkRun(latency_s=tuple(level * s for s in latency_s), load_s=1.0) for level in (1, 1.002, 1, 1.001)
    )
    result = Result(
        artifact=ArtifactRecord(name="aver", target="openvino-cpu", runtime="openvino", precision="int8", files={}),
        spec=ModelSpec(architecture="sa", corpus="synthetic", fold=1, precision="int8"),
        suite=load_suite("quick"),
        machine=Machine(architecture="x86_64", cpu="Some", cpu_flags=(), cpus=2, system="Linux 6", python="3.11.2"),
        tool_versions={},
        started_utc=f"2026-11-24T03:18:00.{ord(folder.name)}Z",
        executed_precisions={},
        network=runs,
    )
    return write_result(result, folder)
