"""A study of backbones as an HTML page that needs nothing else, and as Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_aver import __version__
from edge_aver.benchmarks.backbone_choice import Candidate, PublishedBackbones, choose
from edge_aver.benchmarks.backbone_report_tables import accuracy_table, cost_table, published_table
from edge_aver.benchmarks.backbone_results import BackboneStudy
from edge_aver.benchmarks.backbone_tables import conclusions, remarks
from edge_aver.benchmarks.pages import render
from edge_aver.benchmarks.plots import Bar, intervals
from edge_aver.benchmarks.report_cells import Table
from edge_aver.benchmarks.report_figures import Figure
from edge_aver.benchmarks.report_text import escaped, pipes
from edge_aver.files import write_text

__all__ = ["write_study_pages"]

_TITLE = "Backbones: what they cost, and which to take"

_METHOD = (
    "Every build, every process of a measurement and every training ran in a process of its own; measurements of all "
    "networks, targets and precisions were interleaved in seeded random order. What fails is a row with its reason.",
    "Latency is of one face at a time: 224 x 224 x 3 pixels in, pooled features out, after a warm-up; no query is "
    "dropped. Peak memory is the resident set of a process that loads the network and answers, libraries included.",
    "Parameters are counted both ways: bare, as measured, and with the ImageNet classifier. Files are what the target "
    "runs.",
    "Accuracy is of the whole test part (PrivateTest), in fp32, with the Wilson interval of the paper's equation 5; "
    "sizes of trained networks are those of backbone and classifier in fp32. MB are 10^6 bytes.",
    "Tied with the best: the interval overlaps that of the most accurate network. That is the paper's rule, and a "
    "lenient one: all networks answer the same faces, and a paired test could tell some of them apart.",
    "INVALID: a process failed, there were fewer queries or seconds than the suite asks for, or other processes or the "
    "hypervisor used the processors meanwhile.",
)


@dataclass(frozen=True, kw_only=True)
class _Part:
    table: Table
    figures: tuple[Figure, ...] = ()


def write_study_pages(study: BackboneStudy, published: PublishedBackbones, path: Path) -> tuple[Path, ...]:
    """Write a study as HTML to `path` and as Markdown beside it, each atomically; give both.

    Raises:
        MissingLibraryError: the extra `report` is not installed.
    """
    context = _context(study, published)
    write_text(path, render("backbones.html", context))
    text = path.with_suffix(".md")
    write_text(text, "\n".join(_markdown(context)))
    return path, text


def _context(study: BackboneStudy, published: PublishedBackbones) -> dict[str, Any]:
    return {
        "title": _TITLE,
        "setting": _setting(study),
        "notes": tuple(_notes(study)),
        "conclusions": tuple(conclusions(study, published)),
        "remarks": tuple(remarks(study)),
        "parts": tuple(_parts(study, published)),
        "method": _METHOD,
        "published": published,
        "version": __version__,
    }


def _parts(study: BackboneStudy, published: PublishedBackbones) -> Iterator[_Part]:
    level, budget_mb = study.level, study.budget_mb
    yield _Part(table=cost_table(study))
    if measured := study.candidates():
        drawn = _figure(measured, "measured", "Accuracy on FER2013's test part, measured here", level, budget_mb)
        yield _Part(table=accuracy_table(study), figures=(drawn,))
    quoted = "The paper's own accuracies (Figure 7)"
    drawn = _figure(published.candidates(), "published", quoted, level, budget_mb)
    yield _Part(table=published_table(published, level=level, budget_mb=budget_mb), figures=(drawn,))


def _figure(candidates: Sequence[Candidate], name: str, caption: str, level: float, budget_mb: float) -> Figure:
    """Intervals, the best first; those tied with it in colour, the chosen one strong."""
    from markupsafe import Markup

    choice = choose(candidates, budget_mb=budget_mb, level=level)
    bars = [
        Bar(
            name=f"{item.name}{' (chosen)' if item.name == choice.chosen else ''}",
            rate=item.rate,
            narrow=item.interval(0.95),
            wide=item.interval(0.98),
            style=0 if item.name in choice.tied else 4,
            strong=item.name == choice.chosen,
        )
        for item in sorted(candidates, key=lambda item: (-item.rate, item.name))
    ]
    told = f"{caption}. Blue: tied with the best at {100 * level:g} %; chosen: best within {budget_mb:g} MB."
    # Every text within was escaped as it was drawn.
    return Figure(name=name, caption=told, svg=Markup(intervals(bars, name=name, note=None)))


def _setting(study: BackboneStudy) -> str:
    threads = f"{study.threads} threads" if study.threads else "threads left to the runtime"
    invalid = sum(bool(cell.invalid(study.suite)) for cell in study.cells)
    validity = f"{invalid} of {len(study.cells)} rows INVALID" if invalid else "all rows VALID"
    day = study.started_utc[:16].replace("T", " ")
    return f"Suite {study.suite.name}, {day} UTC, on {study.machine.cpu}, {threads}; {validity}. Faces: {study.faces}."


def _notes(study: BackboneStudy) -> Iterator[str]:
    outcomes = [item.outcome for item in study.accuracies if item.outcome]
    yield f"Networks whose costs were measured have weights that are {study.weights}."
    if random := [item for item in outcomes if item.weights == "random"]:
        most = max(item.train_faces for item in random)
        yield (
            f"{len(random)} of {len(outcomes)} networks were trained from random weights, on at most {most:,} faces: "
            "their accuracies show that the study runs, not how good these networks are. The paper's started from "
            "ImageNet weights."
        )
    if not outcomes:
        yield "No accuracy was measured here: conclusions are by the paper's."


def _markdown(context: Mapping[str, Any]) -> Iterator[str]:
    yield f"# {context['title']}\n\n{escaped(context['setting'])}"
    yield from (f"\n> **{escaped(note)}**" for note in context["notes"])
    yield ""
    yield from (f"- **{escaped(line)}**" for line in context["conclusions"])
    yield from (f"- {escaped(line)}" for line in context["remarks"])
    for part in context["parts"]:
        yield f"\n## {part.table.title}\n\n{escaped(part.table.caption)}\n"
        yield from pipes(part.table)
    yield "\n## Method\n"
    yield from (f"- {escaped(line)}" for line in context["method"])
    yield f"\nProtocol and Table 2: {escaped(context['published'].source)}. Written by edge-aver {__version__}.\n"
