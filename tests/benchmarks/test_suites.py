from pathlib import Path

import pytest

from edge_aver.benchmarks.stats import minimum_queries
from edge_aver.benchmarks.suites import load_suite, suite_names
from edge_aver.errors import DeclarationError


def test_shipped_suites_hold_what_the_design_says() -> None:
    assert set(suite_names()) == {
        "backbones",
        "backbones-trial",
        "demo",
        "smoke",
        "quick",
        "full",
        "end-to-end",
        "overhead",
    }
    wanted = {"smoke": (64, 6.0, 12), "quick": (128, 10.0, 24), "full": (1024, 60.0, 64)}
    for name, values in wanted.items():
        suite = load_suite(name)
        assert suite.name == name
        assert (suite.network_queries, suite.min_duration_s, suite.end_to_end_clips) == values
        assert suite.processes >= 2


def test_suites_can_claim_the_percentiles_they_promise() -> None:
    assert load_suite("smoke").network_queries >= minimum_queries(0.9)
    assert load_suite("full").network_queries >= minimum_queries(0.99)
    assert load_suite("full").end_to_end_clips >= minimum_queries(0.9)


def test_the_demo_claims_the_percentiles_that_it_prints() -> None:
    assert load_suite("demo").network_queries >= minimum_queries(0.9)
    assert load_suite("demo").end_to_end_clips >= minimum_queries(0.5)


def test_the_front_end_suite_declares_what_has_to_be_reached() -> None:
    part = load_suite("end-to-end").front_end
    assert part is not None
    assert part.reference
    assert part.parity
    limits = part.limits
    assert (limits.min_speedup, limits.min_faces_speedup, limits.max_over_decode_and_network) == (8.0, 25.0, 1.4)
    assert (limits.max_real_time_factor, limits.max_fresh_s, limits.max_fresh_mb) == (0.15, 2.0, 300.0)
    assert (limits.min_same_found, limits.min_median_iou, limits.min_p5_iou) == (0.99, 0.93, 0.85)
    assert (limits.min_same_label, limits.min_prepare_scaling, part.prepare_clips) == (1.0, 1.6, 40)
    assert set(limits.forbidden_modules) == {"torch", "torchvision", "librosa", "numba", "sklearn"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rounds = 3", "rounds = 0", "must be positive"),
        ("fresh_runs = 5", "fresh_runs = -1", "must be positive"),
        ("seed = 1", "seed = 1\nnetwork_queries = 64", "another suite"),
        ("min_speedup = 8.0\n", "", "'min_speedup' is missing"),
    ],
)
def test_an_impossible_front_end_part_is_refused(
    tmp_path: Path, repository: Path, old: str, new: str, message: str
) -> None:
    text = (repository / "benchmarks/suites/end-to-end.toml").read_text()
    path = tmp_path / "own.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(DeclarationError, match=message):
        load_suite(path)


def test_unknown_suite_lists_the_known_ones() -> None:
    with pytest.raises(DeclarationError, match="full, overhead, quick, smoke"):
        load_suite("thorough")


@pytest.mark.parametrize("change", ["processes = 0", "min_duration_s = -1.0", "queries = 3"])
def test_impossible_suite_is_refused(tmp_path: Path, repository: Path, change: str) -> None:
    key = change.split()[0]
    lines = (repository / "benchmarks/suites/smoke.toml").read_text().splitlines()
    path = tmp_path / "own.toml"
    path.write_text("\n".join([*(line for line in lines if not line.startswith(key)), change]))
    with pytest.raises(DeclarationError):
        load_suite(path)
