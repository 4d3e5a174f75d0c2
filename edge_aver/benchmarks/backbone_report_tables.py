"""The tables of a study's page: costs of every cell, accuracies measured here, and the paper's."""

from edge_aver.benchmarks.backbone_choice import Candidate, Choice, PublishedBackbones, choose
from edge_aver.benchmarks.backbone_results import BackboneStudy, Cell, FerAccuracy
from edge_aver.benchmarks.formats import megabytes, millions, milliseconds
from edge_aver.benchmarks.report_cells import Cell as Shown
from edge_aver.benchmarks.report_cells import Column, Table, figure, missing, rate, words

__all__ = ["accuracy_table", "cost_table", "published_table"]


def cost_table(study: BackboneStudy) -> Table:
    """Parameters, file, latency and memory of each network on each target in each precision."""
    columns = (
        Column(title="Backbone", words=True),
        Column(title="Target", words=True),
        Column(title="Precision", words=True),
        Column(title="Parameters", unit="M, ImageNet"),
        Column(title="Parameters", unit="M, bare"),
        Column(title="File", unit="MB"),
        Column(title="Latency p50", unit="ms", ends=True),
        Column(title="Queries"),
        Column(title="Peak memory", unit="MB"),
        Column(title="Executed", words=True),
        Column(title="Status", words=True),
    )
    return Table(
        name="costs",
        title="Costs",
        caption="One face at a time. Parameters are counted with the ImageNet classifier and bare, as measured. "
        "Executed: layers by the precision that the runtime reports.",
        columns=columns,
        rows=tuple(_costs(cell, study) for cell in study.cells),
    )


def accuracy_table(study: BackboneStudy) -> Table:
    """What was trained here, the best first; what failed last."""
    choice = choose(study.candidates(), budget_mb=study.budget_mb, level=study.level)
    known = {item.name: item for item in study.candidates()}
    columns = (
        *_judged(study.level, choice),
        Column(title="Test faces"),
        Column(title="Train faces"),
        Column(title="Epochs"),
        Column(title="Started from", words=True),
        Column(title="Parameters", unit="M, with classifier"),
    )
    ordered = sorted(study.accuracies, key=lambda item: -known[item.network].rate if item.network in known else 1)
    return Table(
        name="accuracy",
        title="Accuracy on FER2013, measured here",
        caption="In fp32, backbone and the paper's classifier. Size is of both.",
        columns=columns,
        rows=tuple(_accuracy(item, known.get(item.network), choice) for item in ordered),
    )


def published_table(published: PublishedBackbones, *, level: float, budget_mb: float) -> Table:
    """The paper's Table 2 with its intervals and what they lead to."""
    choice = choose(published.candidates(), budget_mb=budget_mb, level=level)
    return Table(
        name="published",
        title="The paper's Table 2",
        caption=f"Quoted; nothing of it was measured here. N = {published.test_faces:,}, sizes as printed.",
        columns=_judged(level, choice),
        rows=tuple(_row(item, choice) for item in sorted(published.candidates(), key=lambda item: -item.rate)),
    )


def _judged(level: float, choice: Choice) -> tuple[Column, ...]:
    return (
        Column(title="Backbone", words=True),
        Column(title=f"Accuracy, {100 * level:g} % interval", unit="%", ends=True),
        Column(title="Size", unit="MB"),
        Column(title="Tied with the best", words=True),
        Column(title=f"Within {choice.budget_mb:g} MB", words=True),
    )


def _row(item: Candidate, choice: Choice) -> tuple[Shown, ...]:
    chosen = item.name == choice.chosen
    size = missing() if item.size_mb is None else Shown(text=f"{item.size_mb:,.1f}", value=item.size_mb)
    return (
        words(item.name, "chosen" if chosen else ""),
        rate(item.rate, item.interval(choice.level)),
        size,
        words("yes" if item.name in choice.tied else "no"),
        words("yes, the best" if chosen else "yes" if item.name in choice.fitting else "no"),
    )


def _accuracy(item: FerAccuracy, known: Candidate | None, choice: Choice) -> tuple[Shown, ...]:
    outcome = item.outcome
    if outcome is None or known is None:
        return (words(item.network, "failed, see above"), *[missing()] * 9)
    how = "classifier alone" if outcome.frozen else ""
    counts = (outcome.total, outcome.train_faces, outcome.epochs)
    return (
        *_row(known, choice),
        *(Shown(text=f"{count:,}", value=float(count)) for count in counts),
        words(outcome.weights, how),
        Shown(text=millions(outcome.parameters), value=outcome.parameters / 1e6),
    )


def _costs(cell: Cell, study: BackboneStudy) -> tuple[Shown, ...]:
    reasons, queries = cell.invalid(study.suite), sum(len(run.latency_s) for run in cell.runs)
    executed = ", ".join(f"{count} {name}" for name, count in sorted(cell.executed_precisions.items()))
    status = words("INVALID", "see above", mood="bad") if reasons else words("VALID", mood="good")
    ends = cell.p50_interval
    return (
        words(cell.network),
        words(cell.target),
        words(cell.precision),
        *(
            missing() if count is None else Shown(text=millions(count), value=count / 1e6)
            for count in (cell.paper_parameters, cell.parameters)
        ),
        figure(cell.file_bytes, lambda value: megabytes(int(value)), scale=1e-6),
        figure(cell.p50_s, milliseconds, scale=1e3, ends=ends),
        Shown(text=f"{queries:,}", value=float(queries)) if queries else missing(),
        figure(cell.peak_bytes, lambda value: megabytes(int(value)), scale=1e-6),
        words(executed) if executed else missing("not told"),
        status,
    )
