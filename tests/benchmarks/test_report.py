import re
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from edge_aver.benchmarks.front_end_results import FrontEndMeasurements
from edge_aver.benchmarks.report import write_report
from edge_aver.benchmarks.results import ConditionPredictions, Gap, Result
from edge_aver.errors import ArtifactError, MissingLibraryError
from edge_aver.spec import provenance_note


class _Page(HTMLParser):
    """Tags, attributes, ids and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, *names: str) -> list[str]:
        return [value for name, value in self.attributes if name in names]


@pytest.fixture
def results(make_result: Callable[..., Result]) -> tuple[Result, ...]:
    gaps = (Gap(case="network", reason="the process was killed by SIGKILL", failed=True),)
    return (
        make_result(),
        make_result("fp32", scale=2.5, correct=53),
        make_result("int8", "onnxruntime-cpu", scale=1.4, correct=51),
        make_result("fp32", "onnxruntime-cpu", network=(), predictions=(), end_to_end=(), gaps=gaps),
    )


@pytest.fixture
def page(results: tuple[Result, ...], tmp_path: Path) -> _Page:
    return _Page(write_report(results, tmp_path / "report.html").read_text(encoding="utf-8"))


def test_the_page_needs_nothing_else(results: tuple[Result, ...], tmp_path: Path) -> None:
    text = write_report(results, tmp_path / "report.html").read_text(encoding="utf-8")
    page = _Page(text)
    assert "://" not in text
    assert page.tags.count("script") == 1
    assert not page.values("onclick", "onload", "onerror")
    assert all(value.startswith("#") or value == "data:," for value in page.values("src", "href", "xlink:href"))
    assert "@import" not in text


def test_every_plot_is_there_and_named(page: _Page) -> None:
    ids = page.values("id")
    numbered = ("accuracy-0", "trade-0", "trade-1", "trade-2", "latency-0", "latency-1", "stages-0")
    named = {f"{name}-caption" for name in numbered}
    assert named <= set(ids)
    assert page.tags.count("svg") == len(named)
    assert page.values("role").count("img") == len(named)
    assert set(page.values("aria-labelledby", "aria-describedby")) <= set(ids)
    assert len(page.values("aria-describedby")) == len(named)


def test_ids_never_clash_and_references_resolve(results: tuple[Result, ...], tmp_path: Path) -> None:
    text = write_report(results, tmp_path / "report.html").read_text(encoding="utf-8")
    ids = _Page(text).values("id")
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(|href=")#([^")]+)', text)) <= set(ids)


def test_the_synthetic_note_is_on_top_and_in_each_accuracy_plot(page: _Page) -> None:
    note = provenance_note("synthetic")
    assert note is not None
    text = " ".join(page.text.split())
    assert text.index(note) < text.index("At a glance")
    assert text.count(note.split(".")[0]) == 1 + 4


def test_composite_results_are_labelled_as_such(make_result: Callable[..., Result], tmp_path: Path) -> None:
    result = make_result()
    composite = replace(result, spec=replace(result.spec, corpus="composite"))
    page = _Page(write_report([composite], tmp_path / "report.html").read_text(encoding="utf-8"))
    text = " ".join(page.text.split())
    assert text.index(f"{provenance_note('composite')}") < text.index("At a glance")
    assert text.count("Composite clips: real speech") == 1 + 4


def test_results_of_people_carry_no_note(make_result: Callable[..., Result], tmp_path: Path) -> None:
    result = make_result()
    real = replace(result, spec=replace(result.spec, corpus="ravdess"))
    page = _Page(write_report([real], tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "Synthetic" not in page.text


def test_accuracies_of_two_corpora_share_no_plot(make_result: Callable[..., Result], tmp_path: Path) -> None:
    result = make_result()
    real = replace(result, spec=replace(result.spec, corpus="ravdess"))
    page = _Page(write_report([result, real], tmp_path / "report.html").read_text(encoding="utf-8"))
    assert {"accuracy-0-caption", "accuracy-1-caption", "trade-5-caption"} <= set(page.values("id"))
    assert page.text.count("Synthetic actors") == 1 + 4


def test_figures_stand_in_the_page(page: _Page) -> None:
    text = " ".join(page.text.split())
    for part in (
        *("52of 64", "70.0 to 88.9", "67.6 to 90.0", "123 i8, 20 f32", "1 of 4 results INVALID"),
        *("INVALID, sa fp32, onnxruntime-cpu: network failed: the process was killed by SIGKILL", "not measured"),
        *("SQNR ≥ 15.0, agreement ≥ 0.95", "Some Processor @ 2.60GHz", "avx2 avx512_vnni", "ab" * 32),
    ):
        assert part in text


def test_a_front_end_has_its_own_section(
    make_result: Callable[..., Result],
    front_end: FrontEndMeasurements,
    front_end_result: Callable[[FrontEndMeasurements], Result],
    tmp_path: Path,
) -> None:
    slow = tuple(replace(run, wall_s=2.5) for run in front_end.fresh_runs)
    missed = front_end_result(replace(front_end, fresh_runs=slow, given=True))
    html = write_report([make_result(), missed], tmp_path / "report.html").read_text(encoding="utf-8")
    page = _Page(html)
    text = " ".join(page.text.split())
    for part in (
        *("11.8", "over 3 clips", "reference, frame by frame", "2.50", "No accuracy is claimed"),
        *("1280 x 720 pixels", "median of 2.50 to 2.50, 3 runs"),
    ):
        assert part in text
    assert html.count('<td class="words bad" data-v="FAIL">') == 1
    assert html.count('<td class="words good" data-v="PASS">') == 11
    assert {"front-end", "glance", "provenance"} <= set(page.values("id"))
    assert text.count("52of 64") == 1


def test_front_ends_alone_leave_the_sections_of_networks_out(
    front_end: FrontEndMeasurements, front_end_result: Callable[[FrontEndMeasurements], Result], tmp_path: Path
) -> None:
    page = _Page(write_report([front_end_result(front_end)], tmp_path / "report.html").read_text(encoding="utf-8"))
    ids = set(page.values("id"))
    assert {"front-end", "provenance", "method"} <= ids
    assert not {"glance", "accuracy", "latency"} & ids
    assert {value[1:] for value in page.values("href") if value.startswith("#")} <= ids


def test_a_missing_modality_is_a_matrix_with_intervals_and_the_note(
    make_result: Callable[..., Result], tmp_path: Path
) -> None:
    def measured(precision: str, heard: int) -> Result:
        conditions = (ConditionPredictions(name="audio", predictions=make_result(correct=heard).predictions),)
        return make_result(precision, conditions=conditions)

    html = write_report([measured("fp32", 30), measured("int8", 24)], tmp_path / "report.html").read_text("utf-8")
    page = _Page(html)
    text = " ".join(page.text.split())
    section = text[text.index("The same clips with one modality") : text.index("Against fp32, clip by clip")]
    for part in (
        *("both modalities", "audio alone", "46.995 %: 35.2 to 58.998 %: 33.2 to 61.130 of 64", "24 of 64"),
        f"{provenance_note('synthetic')}",
    ):
        assert part in section
    paired = text[text.index("Against fp32, clip by clip") : text.index("One prepared clip at a time")]
    assert "audio alone-9.38-39.09 to +20.34-9.38-19.30 to -1.2760INCONCLUSIVEabout 630 clips" in paired
    assert {"missing", "paired"} <= set(page.values("id"))


def test_the_precision_to_ship_is_named(make_result: Callable[..., Result], tmp_path: Path) -> None:
    pair = [make_result("fp32", scale=2.0), make_result("int8")]
    text = " ".join(_Page(write_report(pair, tmp_path / "a.html").read_text("utf-8")).text.split())
    assert "What to ship Ship int8 sa, synthetic fold 1 on openvino-cpu Accuracy against fp32: INCONCLUSIVE" in text
    assert "results VALID 1.9" in text
    page = _Page(write_report(pair[:1], tmp_path / "b.html").read_text("utf-8"))
    assert "No advice" in page.text
    assert "Only fp32 was measured: there is nothing to choose." in page.text
    assert not {"missing", "paired"} & set(page.values("id"))


def test_five_folds_of_one_network_are_one_card(
    make_result: Callable[..., Result], five_folds: Callable[..., list[Result]], tmp_path: Path
) -> None:
    slow = [replace(item, network=make_result("fp32", scale=2.0).network) for item in five_folds("fp32", 210)]
    html = write_report([*slow, *five_folds("int8", 210)], tmp_path / "a.html").read_text("utf-8")
    text = " ".join(_Page(html).text.split())
    assert html.count("<li><p><strong>") == 1
    assert "Ship int8 sa, ravdess folds 1, 2, 3, 4, 5 on openvino-cpu Accuracy against fp32: PASS" in text
    assert "accuracy +0.00 points, PASS at a 1-point margin" in text
    assert "over 10 and 10 processes" in text
    assert "sa, ravdess fold 1 on" not in text
    paired = text[text.index("Differences in percentage points.") : text.index("Among published systems Table 3")]
    assert [f"sa int8openvino-cpu, fold {fold}both" in paired for fold in range(1, 6)] == [True] * 5


def test_more_than_two_places_are_told_apart_on_paper_too(make_result: Callable[..., Result], tmp_path: Path) -> None:
    """Two fillings tell two places apart; with a third, each has plots of its own."""
    here = [make_result("fp32", scale=2.0), make_result("int8")]
    there = [make_result("fp32", "onnxruntime-cpu"), make_result("int8", "onnxruntime-cpu")]
    two = _Page(write_report([*here, *there], tmp_path / "a.html").read_text("utf-8"))
    assert sum(value.startswith("trade-") and value.endswith("-caption") for value in two.values("id")) == 3
    other = replace(here[1], machine=replace(here[1].machine, cpu="Another"))
    three = _Page(write_report([*here, *there, other], tmp_path / "b.html").read_text("utf-8"))
    assert sum(value.startswith("trade-") and value.endswith("-caption") for value in three.values("id")) == 9
    captions = " ".join(three.text.split())
    for place in ("openvino-cpu, Another", "openvino-cpu, Some Processor @ 2.60GHz", "onnxruntime-cpu, Some Processor"):
        assert f"peak memory of a process, corpus synthetic, {place}" in captions


def test_names_are_escaped(make_result: Callable[..., Result], tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>$x_1$"
    result = make_result(evil)
    result = replace(result, artifact=replace(result.artifact, name=evil, target=evil))
    page = _Page(write_report([result], tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.tags.count("script") == 1
    assert page.text.count(evil) > 5


def test_the_same_results_give_the_same_bytes(results: tuple[Result, ...], tmp_path: Path) -> None:
    first = write_report(results, tmp_path / "a.html").read_bytes()
    assert write_report(results, tmp_path / "b.html").read_bytes() == first


def test_a_report_of_failures_alone_can_be_written(make_result: Callable[..., Result], tmp_path: Path) -> None:
    gaps = (Gap(case="accuracy", reason="killed", failed=True),)
    failed = make_result(network=(), predictions=(), end_to_end=(), parity=(), gaps=gaps, executed_precisions={})
    page = _Page(write_report([failed], tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "svg" not in page.tags
    assert "accuracy failed: killed" in page.text


def test_colours_are_the_pages_own(results: tuple[Result, ...], tmp_path: Path) -> None:
    text = write_report(results, tmp_path / "report.html").read_text(encoding="utf-8")
    drawn = "".join(re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL))
    assert not re.findall(r"#[0-9a-f]{6}|rgb|style=", drawn)
    used = {name for value in re.findall(r'class="([^"]*)"', drawn) for name in value.split()}
    assert {"s1", "s3", "grid", "mark"} <= used
    assert all(re.search(rf"\.{name}\b", text) for name in used)


def test_nothing_to_report_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no results"):
        write_report([], tmp_path / "report.html")


def test_a_missing_library_names_the_extra(
    results: tuple[Result, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingLibraryError, match=r"needs jinja2.*edge-aver\[report\]"):
        write_report(results, tmp_path / "report.html")
    assert not list(tmp_path.iterdir())


def test_a_result_that_is_invalid_is_named_on_top_and_in_its_row(results: tuple[Result, ...], tmp_path: Path) -> None:
    html = write_report(results, tmp_path / "report.html").read_text(encoding="utf-8")
    text = " ".join(_Page(html).text.split())
    reason = "INVALID, sa fp32, onnxruntime-cpu: network failed: the process was killed by SIGKILL"
    assert text.index(reason) < text.index("At a glance")
    assert 'class="words bad" data-v="INVALID"' in html
    assert "No advice sa, synthetic fold 1 on onnxruntime-cpu results INVALID: fp32" in text
    assert "The result of fp32 is INVALID: measure again (network failed: the process was killed by SIGKILL)." in text
    assert "not worth it" not in text


def test_a_refused_file_is_a_row_and_takes_part_in_no_figure(results: tuple[Result, ...], tmp_path: Path) -> None:
    page = _Page(
        write_report(
            results, tmp_path / "a.html", refused=[("edited.json", "changed since it was written")]
        ).read_text()
    )
    assert "1 file refused." in page.text
    assert "edited.jsonINVALIDchanged since it was written" in page.text


def test_two_devices_and_two_folds_have_names_of_their_own(make_result: Callable[..., Result], tmp_path: Path) -> None:
    here = make_result()
    there = replace(here, machine=replace(here.machine, cpu="Another Processor"))
    fold = replace(here, spec=replace(here.spec, fold=2))
    page = _Page(write_report([here, there, fold], tmp_path / "report.html").read_text(encoding="utf-8"))
    for name in ("fold 1, Some Processor", "fold 1, Another Processor", "fold 2, Some Processor"):
        assert f"sa int8openvino-cpu, {name}" in page.text


def test_the_same_artifact_measured_twice_is_told_apart_by_its_date(
    make_result: Callable[..., Result], tmp_path: Path
) -> None:
    pair = [make_result(), make_result(started_utc="2026-11-24T05:00:00.123Z")]
    text = _Page(write_report(pair, tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "openvino-cpu, 2026-11-23 03:18" in text
    assert "openvino-cpu, 2026-11-24 05:00" in text


def test_a_query_far_out_is_told_where_the_axis_ends_before_it(
    make_result: Callable[..., Result], tmp_path: Path
) -> None:
    result = make_result()
    run = result.network[0]
    slow = replace(run, latency_s=(*run.latency_s[:-1], 9.0))
    html = write_report([replace(result, network=(slow, *result.network[1:]))], tmp_path / "a.html").read_text()
    assert "(1 slower, up to 9,000)" in html
    assert "slower, up to" not in write_report([result], tmp_path / "b.html").read_text()
