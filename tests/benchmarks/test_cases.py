from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from media_files import numbered, tone, write_media

from edge_aver.benchmarks.cases import Case, Subject, find_subjects, interleaved, request
from edge_aver.benchmarks.suites import Suite, load_suite
from edge_aver.bundle import Artifact
from edge_aver.errors import CorpusError, MeasurementError
from edge_aver.files import sha256_file


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    folder.mkdir()
    for name in ("one", "two", "three"):
        write_media(folder / f"{name}.mp4", pictures=[numbered(index) for index in range(3)], sound=tone(0.2))
    return folder


def _small(suite: Suite, **values: int) -> Suite:
    assert suite.front_end is not None
    return replace(suite, front_end=replace(suite.front_end, **values))


def test_cases_of_all_artifacts_are_interleaved_in_seeded_order() -> None:
    suite = load_suite("smoke")
    cases = interleaved(3, suite)
    assert len(cases) == len(set(cases)) == 3 * 5
    assert cases == interleaved(3, suite)
    assert cases != interleaved(3, replace(suite, seed=2))
    order = [case.artifact for case in cases]
    assert order != sorted(order)


def test_every_artifact_has_its_share_of_each_part_of_a_run() -> None:
    """A drift of the machine meets all of them alike, whatever the order inside a part is."""
    suite = replace(load_suite("smoke"), processes=4)
    order = [case.artifact for case in interleaved(3, suite) if case.name == "network"]
    assert [sorted(order[start : start + 3]) for start in range(0, 12, 3)] == [[0, 1, 2]] * 4


def test_the_librarys_program_runs_right_beside_the_process_it_is_compared_with() -> None:
    cases = interleaved(2, load_suite("overhead"))
    for place, case in enumerate(cases):
        if case.name == "library_tool":
            other = replace(case, name="network")
            assert other in cases[max(0, place - 1) : place + 2]
    before = [
        cases.index(case) < cases.index(replace(case, name="network")) for case in cases if case.name == "library_tool"
    ]
    assert set(before) == {True, False}, "neither has the better place"


def test_each_condition_has_a_process_and_the_others_stay_as_they_were() -> None:
    suite = load_suite("smoke")
    cases = interleaved(2, suite, ("both", "audio", "missing-faces-5"))
    assert Counter((case.name, case.condition) for case in cases) == {
        ("network", "both"): 2 * suite.processes,
        ("end_to_end", "both"): 2 * suite.processes,
        **{("accuracy", name): 2 for name in ("both", "audio", "missing-faces-5")},
    }
    assert interleaved(2, suite, ("both",)) == interleaved(2, suite)


def test_a_front_end_part_replaces_network_and_accuracy() -> None:
    suite = load_suite("end-to-end")
    cases = interleaved(1, suite)
    counts = {"ours": 3, "reference": 3, "front_end_parity": 1, "fresh_run": 5, "prepare_scaling": 1}
    assert Counter(case.name for case in cases) == counts
    stacks = [case.name for case in cases if case.name in ("ours", "reference")]
    assert stacks not in (sorted(stacks), sorted(stacks, reverse=True)), "stacks take turns"


def test_parts_can_be_left_out() -> None:
    suite = _small(load_suite("end-to-end"), reference=False, parity=False, fresh_runs=0, prepare_clips=0)
    assert Counter(case.name for case in interleaved(1, suite)) == {"ours": 3}


def test_every_stack_is_asked_for_the_same_files(tiny: tuple[Artifact, Path], media: Path) -> None:
    suite = load_suite("end-to-end")
    (subject,) = find_subjects([tiny[0]], lambda _: tiny[1], suite, [media], None)
    ours, reference, fresh, later, prepare = (
        request(Case(artifact=0, name=name, repetition=repetition), subject, suite, 2)
        for name, repetition in (
            ("ours", 0),
            ("reference", 1),
            ("fresh_run", 0),
            ("fresh_run", 4),
            ("prepare_scaling", 0),
        )
    )
    assert [clip.id for clip in ours.media] == ["one", "three", "two"]
    assert ours.media == reference.media
    assert [clip.id for clip in (*fresh.media, *later.media)] == ["one", "three"]
    assert (prepare.media, prepare.queries, prepare.rounds) == ((), 40, 2)
    assert ours.threads == 2


def test_only_the_artifacts_own_checkpoint_counts(tiny: tuple[Artifact, Path], media: Path, tmp_path: Path) -> None:
    suite, folder = load_suite("end-to-end"), tmp_path / "checkpoints"
    folder.mkdir()
    (folder / "a.safetensors").write_bytes(b"other weights")
    (folder / "b.safetensors").write_bytes(b"its weights")

    def checkpoint(sha256: str | None) -> str | None:
        artifact = replace(tiny[0], spec=replace(tiny[0].spec, checkpoint_sha256=sha256))
        (subject,) = find_subjects([artifact], lambda _: tiny[1], suite, [media], folder)
        return request(Case(artifact=0, name="reference", repetition=0), subject, suite, None).checkpoint

    assert checkpoint(sha256_file(folder / "b.safetensors")) == str(folder / "b.safetensors")
    assert checkpoint("0" * 64) is None
    assert checkpoint(None) is None


def test_media_of_the_folds_test_clips_that_changed_are_refused(tiny: tuple[Artifact, Path]) -> None:
    artifact, store = tiny
    with pytest.raises(Exception, match="not a video"):
        find_subjects([artifact], lambda _: store, load_suite("end-to-end"), [], None)


def test_given_files_need_no_prepared_store(tiny: tuple[Artifact, Path], media: Path, tmp_path: Path) -> None:
    suite = load_suite("end-to-end")
    with pytest.raises(CorpusError, match="no prepared clips here"):
        find_subjects([tiny[0]], lambda _: tmp_path / "synthetic", suite, [], None)
    (subject,) = find_subjects([tiny[0]], lambda _: tmp_path / "synthetic", suite, [media], None)
    assert isinstance(subject, Subject)
    assert subject.given
    assert len(subject.media) == 3


def test_a_suite_of_networks_takes_no_files(tiny: tuple[Artifact, Path], media: Path) -> None:
    with pytest.raises(MeasurementError, match="leave out --data"):
        find_subjects([tiny[0]], lambda _: tiny[1], load_suite("smoke"), [media], None)
