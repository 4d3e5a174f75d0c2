from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge_aver.benchmarks.published import load_published, pool_folds
from edge_aver.benchmarks.report import write_report, write_reports
from edge_aver.benchmarks.results import Gap, Result
from edge_aver.errors import DeclarationError

ROOT = Path(__file__).parents[2]
FiveFolds = Callable[..., list[Result]]
PUBLISHED = load_published("ravdess")
OTHERS = "xlsr-Wav2Vec2.0"

TABLE_3 = [
    ("ERANN-0-4", "74.8", "24", 65),
    ("CNN-14 & biLSTM-GuidedSTN", "80.08", "81", 39),
    ("Intermediate-Attention-Fusion", "81.58", None, 66),
    ("MultiMAE-DER", "83.61", None, 35),
    ("Baseline system", "84.37", "13.1", None),
    ("xlsr-Wav2Vec2.0 & bi-LSTM+Attention", "86.70", "300", 48),
    ("Concatenation-based approach", "87.29", "13.1", None),
    ("Self-Attention-based approach", "88.33", "14.9", None),
]


def test_the_systems_are_those_of_table_3_in_its_order() -> None:
    found = [(item.name, item.accuracy_percent, item.parameters_m, item.reference) for item in PUBLISHED.systems]
    assert found == TABLE_3
    assert [item.architecture for item in PUBLISHED.systems if item.architecture] == ["ca", "id", "sa"]
    assert all(item.citation for item in PUBLISHED.systems)


def test_their_intervals_are_wilsons_at_the_n_assumed() -> None:
    best = PUBLISHED.systems[-1]
    ends = PUBLISHED.interval(best, level=0.95)
    # By hand from equation 5, with z = 1.96 and N = 1200.
    assert (round(100 * ends.low, 2), round(100 * ends.high, 2)) == (86.39, 90.03)
    assert "1,200 are assumed" in PUBLISHED.assumption
    assert PUBLISHED.assumed_clips == 1200


def test_an_accuracy_that_is_none_is_refused(tmp_path: Path) -> None:
    text = (ROOT / "benchmarks" / "published" / "ravdess.toml").read_text().replace('"88.33"', '"8833"')
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(DeclarationError, match="Self-Attention-based approach: accuracy_percent '8833'"):
        load_published(str(path))


def test_five_folds_of_real_clips_are_pooled(five_folds: FiveFolds) -> None:
    (pooled,) = pool_folds(five_folds(), PUBLISHED)
    assert (pooled.correct, pooled.total, pooled.reason) == (5 * 210, 1200, "")


def test_ours_stand_among_them_by_accuracy(five_folds: FiveFolds, tmp_path: Path) -> None:
    html, markdown = write_reports(five_folds(), tmp_path / "report.html", formats=("html", "md"))
    page, text = html.read_text("utf-8"), markdown.read_text("utf-8")
    assert "published-0-caption" in page
    assert PUBLISHED.assumption in page
    rows = [line for line in text.splitlines() if line.startswith("|") and ("assumed" in line or "counted" in line)]
    assert len(rows) == len(TABLE_3) + 1
    place = next(index for index, row in enumerate(rows) if "counted" in row)
    assert "sa int8, openvino-cpu" in rows[place]
    assert "87.5; 85.5 to 89.3" in rows[place]
    assert "Self-Attention-based" in rows[place + 1]
    assert "Concatenation-based" in rows[place - 1]


@pytest.mark.parametrize("corpus", ["synthetic", "composite"])
def test_other_clips_never_stand_beside_published_systems(five_folds: FiveFolds, tmp_path: Path, corpus: str) -> None:
    results = [replace(result, spec=replace(result.spec, corpus=corpus)) for result in five_folds()]
    written = write_reports(results, tmp_path / "report.html", formats=("html", "md", "csv"))
    page = written[0].read_text("utf-8")
    assert f"measured on {corpus} clips, not on ravdess itself" in page
    texts = [page, written[1].read_text("utf-8"), *(path.read_text("utf-8") for path in written[2].iterdir())]
    for text in texts:
        assert OTHERS not in text
        assert "published-0" not in text
    assert not (written[2] / "published.csv").exists()


def test_one_synthetic_fold_stands_in_for_none_of_the_five(five_folds: FiveFolds) -> None:
    results = five_folds()
    results[2] = replace(results[2], spec=replace(results[2].spec, corpus="synthetic"))
    real, synthetic = pool_folds(results, PUBLISHED)
    assert (real.total, real.reason) == (0, "fold 3 of 5 was not measured")
    assert (synthetic.total, synthetic.reason) == (0, "measured on synthetic clips, not on ravdess itself")


def test_what_is_not_of_the_protocol_is_left_out_with_its_reason(five_folds: FiveFolds, tmp_path: Path) -> None:
    whole = five_folds()
    failed = replace(whole[1], gaps=(Gap(case="network", reason="killed", failed=True),))
    twice = replace(whole[3], predictions=(whole[3].predictions[0], *whole[3].predictions[:-1]))
    cases = [
        (whole[:4], "fold 5 of 5 was not measured"),
        ([*whole, whole[0]], "fold 1 was given more than once"),
        ([whole[0], failed, *whole[2:]], "the result of fold 2 is INVALID: network failed: killed"),
        ([*whole[:3], twice, whole[4]], "fold 4 holds a clip twice"),
        (
            [replace(whole[0], predictions=whole[0].predictions[:-1]), *whole[1:]],
            "fold 1 holds 239 clips of actors 1, 2, 3, 4; the protocol has 60 each of 1, 2, 3, 4",
        ),
        ([*whole, replace(whole[0], spec=replace(whole[0].spec, fold=6))], "fold 6 is none of the 5"),
        (
            [replace(whole[0], schema_version=1), *whole[1:]],
            "its results are of more than one schema version (1, 2)",
        ),
    ]
    for results, reason in cases:
        (pooled,) = pool_folds(results, PUBLISHED)
        assert (pooled.total, pooled.reason) == (0, reason)
    page = write_report(whole[:4], tmp_path / "report.html").read_text("utf-8")
    assert OTHERS not in page
    assert "fold 5 of 5 was not measured" in page
