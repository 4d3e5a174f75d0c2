"""What commands print: results to standard output (or as JSON), notes beside them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge_aver.bundle import Artifact
from edge_aver.console import say
from edge_aver.doctor import check_needs, check_targets, doctor_tables, int8_state
from edge_aver.errors import MeasurementError, ParityError, UndecidedError
from edge_aver.files import json_text, write_text
from edge_aver.spec import provenance_note

if TYPE_CHECKING:
    from edge_aver.benchmarks.advice import Advice
    from edge_aver.benchmarks.results import Result
    from edge_aver.benchmarks.speed_verdict import Ratio, SpeedVerdict
    from edge_aver.benchmarks.stats import Interval
    from edge_aver.benchmarks.verdict import Verdict
    from edge_aver.calibration.own_corpus import CorpusPlan
    from edge_aver.calibration.verify import Verification
    from edge_aver.corpora.prepare import PrepareSummary
    from edge_aver.demo import DemoOutcome
    from edge_aver.export.tune import TunedRecipe
    from edge_aver.models.training import TrainedNetwork
    from edge_aver.runtime import Prediction
    from edge_aver.runtime.build_kit import KitBuild
    from edge_aver.runtime.make_bundle import MadeBundle
    from edge_aver.runtime.replay import BundleCheck, Replay, StageCheck
    from edge_aver.study import PublishedStudy, StudyOutcome
    from edge_aver.sweep import SweepOutcome

__all__ = [
    "show_artifacts",
    "show_bundle",
    "show_bundle_check",
    "show_demo",
    "show_doctor",
    "show_plan",
    "show_prediction",
    "show_prepared",
    "show_results",
    "show_sweep",
    "show_trained",
    "show_tuned",
    "show_verdict",
    "show_verification",
]

_BAR_WIDTH = 30
_WORST = 5


def show_prepared(summary: "PrepareSummary", json_path: str | None, plan: "CorpusPlan | None" = None) -> None:
    """One line for each refused file and why, the clips that miss most faces, and the totals; of one's own, folds."""
    for refusal in summary.refused:
        say(f"refused: {refusal.path}: {refusal.reason}")
    if missing := sorted(summary.clips_with_missing_faces, key=lambda item: -item[1]):
        worst = ", ".join(f"{clip} ({frames})" for clip, frames in missing[:_WORST])
        say(f"{len(missing)} clips have frames without a face, padding after their end included; most: {worst}")
    totals = f"{summary.prepared} clips prepared, {summary.reused} already there, {len(summary.refused)} refused"
    note = provenance_note(summary.corpus)
    table = {**asdict(summary), "note": note}
    lines = [totals]
    if plan is not None:
        table |= _plan_table(plan)
        lines += _plan_lines(plan)
    _emit("\n".join([*lines, *_note(note)]), table, json_path)


def show_plan(plan: "CorpusPlan", json_path: str | None) -> None:
    """What preparing a corpus of one's own would come to: clips, labels, subjects, folds."""
    for refusal in plan.corpus.refusals:
        say(f"refused: {refusal.path}: {refusal.reason}")
    _emit("\n".join(_plan_lines(plan)), _plan_table(plan), json_path)


def _plan_lines(plan: "CorpusPlan") -> list[str]:
    corpus, labels = plan.corpus, plan.corpus.clips_by_label()
    for remark in plan.remarks:
        say(remark)
    lines = [
        f"Corpus {corpus.name}: {len(corpus.clips):,} clips of {corpus.files:,} files and "
        f"{len(corpus.subjects):,} subjects",
        f"{len(labels)} labels: {', '.join(f'{label} ({count:,})' for label, count in labels.items())}",
        f"Folds: {plan.origin}",
    ]
    for split, sizes in zip(plan.splits, plan.sizes(), strict=True):
        parts = (f"{part} {size.clips:,} clips of {size.subjects:,} subjects" for part, size in sizes.items())
        lines.append(f"  fold {split.index}: {', '.join(parts)}")
    return lines


def _plan_table(plan: "CorpusPlan") -> dict[str, Any]:
    corpus = plan.corpus
    sizes = plan.sizes()
    return {
        "corpus": corpus.name,
        "clips": len(corpus.clips),
        "files": corpus.files,
        "subjects": len(corpus.subjects),
        "labels": corpus.clips_by_label(),
        "folds_origin": plan.origin,
        "folds": [
            {"index": split.index} | {part: asdict(size) for part, size in parts.items()}
            for split, parts in zip(plan.splits, sizes, strict=True)
        ],
        "remarks": list(plan.remarks),
    }


def show_trained(trained: "TrainedNetwork", json_path: str | None) -> None:
    """The checkpoint, its parameters counted both ways, and its accuracies."""
    parameters = trained.spec.parameters
    lines = [f"{trained.path} ({trained.epochs} epochs)"]
    if parameters is not None:
        lines.append(f"parameters: {parameters.deployed:,} deployed, {parameters.paper:,} counted as the paper does")
    lines.append(f"accuracy {trained.validation_accuracy:.1%} on the validation actors that chose the weights")
    lines.append("accuracy on test actors, with its interval: export, then edge-aver benchmark")
    table = {**asdict(trained), "path": str(trained.path), "note": trained.spec.note}
    _emit("\n".join([*lines, *_note(trained.spec.note)]), table, json_path)


def show_tuned(tuned: "TunedRecipe", plot: Path, json_path: str | None) -> None:
    """What every block costs in int8, the most damaging first, and where the recipe found stands."""
    tuning = tuned.tuning
    blocks = sorted(tuning.blocks, key=lambda item: item.alone.sqnr_db)
    if json_path != "-":
        table = Table(title=f"Recipe {tuned.recipe.name}", title_justify="left", box=None, pad_edge=False)
        for column in ("Block", "Alone in int8, dB", "agree", "All but it, dB", "agree"):
            table.add_column(column, justify="left" if column == "Block" else "right")
        for item in blocks:
            cells = (f"{part.sqnr_db:.1f} {part.top1_agreement:.1%}".split() for part in (item.alone, item.spared))
            table.add_row(item.block, *chain.from_iterable(cells))
        console = Console()
        console.print(table)
        whole = f"All of them in int8: {tuning.whole.sqnr_db:.1f} dB, {tuning.whole.top1_agreement:.1%} agree"
        lines = [whole, _advice(tuned), f"Plot: {plot}"]
        console.print("\n".join(lines), highlight=False, soft_wrap=True)
    found = {"recipe": tuned.recipe.name, "written": tuned.path, "plot": plot, "kept_in_fp32": tuning.kept}
    _write_json(found | {"whole": asdict(tuning.whole), "blocks": [asdict(item) for item in blocks]}, json_path)


def _advice(tuned: "TunedRecipe") -> str:
    if tuned.path is None:
        return "No mix keeps the limits of the recipe; export fp16."
    kept = ", ".join(tuned.tuning.kept or ()) or "none"
    return f"To compute in fp32: {kept}. Export it with: --recipe {tuned.path}"


def show_verification(verification: "Verification", json_path: str | None) -> None:
    """One line for each thing that was checked; what fails never comes here."""
    path = verification.artifact.path
    lines = [str(path), *(f"ok: {check}" for check in verification.checks)]
    _emit("\n".join(lines), {"artifact": path, "checks": verification.checks, "verified": True}, json_path)


def show_bundle(made: "MadeBundle", json_path: str | None) -> None:
    """Where the bundle lies, what is in it, and whose logits its golden clip expects."""
    signed = made.manifest.signed_by
    lines = [f"{made.path}  {made.bytes / 1e6:.1f} MB, {len(made.manifest.members)} files"]
    for name in made.manifest.artifacts:
        expected = made.expected.get(name)
        lines.append(f"  {name}: " + (f"logits by {expected.computed_by}" if expected else "a part, not replayed"))
    lines.append(f"signed by key {signed}" if signed else "not signed")
    table = {"path": made.path, "bytes": made.bytes, **asdict(made.manifest), "note": made.note}
    _emit("\n".join([*lines, *_note(made.note)]), table, json_path)


def show_bundle_check(check: "BundleCheck", json_path: str | None) -> None:
    """What was checked, stage by stage; a stage or a label that differs ends in a ParityError."""
    files = f"ok: {len(check.manifest.members)} files have the hashes of the manifest, and no byte is out of place"
    signed = {
        "checked": f"ok: signed by key {check.manifest.signed_by}",
        "not checked": f"signed by key {check.manifest.signed_by}: NOT checked, give it with --key",
        "none": "not signed",
    }
    lines = [str(check.path), files, signed[check.signature]]
    for replay in check.replays:
        lines += [replay.artifact, *(f"  {line}" for line in _replayed(replay))]
    failed = check.differing
    table = {**asdict(check), "verified": not failed}
    _emit("\n".join([*lines, *_note(check.note)]), table, json_path)
    if failed:
        raise ParityError(f"{check.path}: on this device {_what_differs(failed[0])}")


def _what_differs(replay: "Replay") -> str:
    if stage := replay.differs:
        return f"{stage.stage} of {replay.artifact} differ from what the bundle expects: {_figures_of(stage)}"
    return (
        f"the label of {replay.artifact} differs from what the bundle expects, though every stage is near enough: "
        f"{replay.label or 'none'} from the bytes of the golden clip, {replay.expected_label} expected"
    )


def _replayed(replay: "Replay") -> Iterator[str]:
    if replay.not_replayed:
        yield f"not replayed: {replay.not_replayed}"
        return
    for stage in replay.stages:
        yield f"{'ok' if stage.passed else 'DIFFERS'}: {stage.stage:<6} {_figures_of(stage)}"
    told = f"{replay.label or 'none'} from the bytes of the golden clip (expected: {replay.expected_label})"
    yield f"{'DIFFERS' if replay.label_differs else 'ok'}: label  {told}"


def _figures_of(stage: "StageCheck") -> str:
    most, least = stage.tolerance.max_abs_diff, stage.tolerance.min_sqnr_db
    difference = f"largest difference {stage.max_abs_diff:.3g}" + (f" (at most {most:g})" if most is not None else "")
    return f"{difference}, SQNR {stage.sqnr_db:.1f} dB" + (f" (at least {least:g})" if least is not None else "")


def show_artifacts(artifacts: Sequence[Artifact], json_path: str | None, advice: Sequence["Advice"] = ()) -> None:
    """The parity ladder of every artifact, where each lies, and which precision to ship."""
    if json_path != "-":
        console = Console()
        for artifact in artifacts:
            console.print(_ladder(artifact))
        parameters = artifacts[0].spec.parameters
        if parameters is not None:
            counts = f"{parameters.deployed:,} deployed"
            if artifacts[0].spec.network is None:
                counts += f", {parameters.paper:,} counted as the paper does"
            console.print(f"Parameters: {counts}", highlight=False)
        for line in (*_note(artifacts[0].spec.note), *map(str, advice)):
            console.print(line, highlight=False, markup=False)
    told = {item.target: asdict(item) for item in advice}
    tables = [
        {**asdict(artifact), "note": artifact.spec.note, "advice": told.get(artifact.target)} for artifact in artifacts
    ]
    _write_json(tables, json_path)


def show_kit_build(built: "KitBuild", json_path: str | None) -> None:
    """Engines, what was checked of them, and what was not: engines that nobody verified end in an UndecidedError."""
    lines = ["STAND-IN: TensorRT-RTX in place of TensorRT; no Jetson runs these engines"] if built.stand_in else []
    if built.reused:
        lines.append("Built from this kit and verified before:")
    for engine in built.engines:
        layers = ", ".join(f"{count} {kind}" for kind, count in engine.build.get("layers", {}).items()) or "not told"
        lines.append(f"{engine.path}  {engine.size_bytes / 1e6:.1f} MB; layers by type: {layers}; DLA off")
        if note := engine.build.get("precision_note"):
            lines.append(f"  {note}")
    for check in built.checks:
        figures = f"SQNR {check.sqnr_db:.1f} dB, largest difference {check.max_abs_diff:.2g}"
        lines.append(f"  {check.graph} as expected: {figures}")
    table = {**asdict(built), "verified": built.not_verified is None}
    _emit("\n".join(lines), table, json_path)
    if built.not_verified is not None:
        raise UndecidedError(f"built, NOT verified: {built.not_verified}")


def show_prediction(artifact: Artifact, clip: Path, prediction: "Prediction", json_path: str | None) -> None:
    """Label, probabilities, and the time of each stage."""
    lines = [f"{clip.name}: {prediction.label}  ({artifact.path.name} on {artifact.target})", ""]
    for label, probability in prediction.probabilities.items():
        lines.append(f"  {label:<10} {probability:6.1%} {'#' * round(probability * _BAR_WIDTH)}")
    stages = ", ".join(f"{stage} {1000 * seconds:.0f} ms" for stage, seconds in prediction.stages_s.items())
    lines += ["", f"{1000 * prediction.total_s:.0f} ms: {stages}"]
    if missing := prediction.face_found.count(False):
        lines.append(f"No face in {missing} of {len(prediction.face_found)} frames")
    table = {**asdict(prediction), "artifact": artifact.path.name, "target": artifact.target}
    _emit("\n".join([*lines, *_note(artifact.spec.note)]), {**table, "note": artifact.spec.note}, json_path)


def show_results(results: Sequence["Result"], json_path: str | None) -> None:
    """The table of results.

    Raises:
        MeasurementError: after it, where every one of them is empty: a machine that cannot run them did not pass.
    """
    from edge_aver.benchmarks.results import document
    from edge_aver.benchmarks.tables import print_results

    if json_path != "-":
        print_results(Console(), results)
    _write_json([document(result) for result in results], json_path)
    if results and all(result.is_empty for result in results):
        reasons = [gap.reason for result in results for gap in result.gaps]
        raise MeasurementError(f"nothing was measured: {next(iter(reasons), 'the suite asks for nothing')}")


def show_backbones(outcome: "StudyOutcome", json_path: str | None) -> None:
    """The table of a study, what its intervals lead to, and where its result and figure stand."""
    from edge_aver.benchmarks.backbone_choice import load_published_backbones
    from edge_aver.benchmarks.backbone_results import document
    from edge_aver.benchmarks.backbone_tables import print_study

    if json_path != "-":
        console = Console()
        print_study(console, outcome.study, load_published_backbones())
        console.print(
            f"Result: {outcome.path}\nFigure: {outcome.figure}", highlight=False, soft_wrap=True, markup=False
        )
        for page in outcome.pages:
            console.print(f"Report: {page}", highlight=False, soft_wrap=True, markup=False)
    _write_json(document(outcome.study), json_path)


def show_sweep(outcome: "SweepOutcome", json_path: str | None) -> None:
    """A row for each cell: what was measured, or why not.

    Raises:
        MeasurementError: after it, where not one cell came to anything.
    """
    from edge_aver.benchmarks.summary import summarize

    rows = []
    for record in outcome.records:
        measured = outcome.results.get(record.cell.name)
        row: dict[str, Any] = {"cell": record.cell.name, "result": record.result}
        row |= {"step": record.step, "reason": record.reason}
        if measured is not None:
            summary = summarize(measured)
            accuracy, p50_s = summary.accuracy, summary.network_s.p50
            row |= {"valid": not summary.invalid, "accuracy": accuracy and accuracy.rate, "p50_s": p50_s}
        rows.append(row)
    failed = [row for row in rows if row["reason"]]
    if json_path != "-":
        table = Table(box=None, pad_edge=False)
        for column in ("Cell", "Status", "Accuracy", "p50, ms", "Why"):
            table.add_column(column, overflow="fold", justify="right" if column in ("Accuracy", "p50, ms") else "left")
        for row in rows:
            table.add_row(*map(Text, _sweep_cells(row)))
        console = Console(highlight=False)
        console.print(table)
        done = len(rows) - len(failed)
        console.print(f"{done} of {len(rows)} cells done, {outcome.reused} of them before; {len(failed)} failed")
    _write_json({"cells": rows, "reused": outcome.reused}, json_path)
    if len(failed) == len(rows):
        raise MeasurementError(f"no cell came to anything; the first, {rows[0]['cell']}: {rows[0]['reason']}")


def _sweep_cells(row: dict[str, Any]) -> tuple[str, ...]:
    if row["reason"]:
        return row["cell"], "FAILED", "", "", f"{row['step']}: {row['reason']}"
    accuracy = "not measured" if row["accuracy"] is None else f"{row['accuracy']:.1%}"
    p50 = "not measured" if row["p50_s"] is None else f"{1e3 * row['p50_s']:.1f}"
    return row["cell"], "VALID" if row["valid"] else "INVALID", accuracy, p50, ""


def show_published_backbones(outcome: "PublishedStudy", json_path: str | None) -> None:
    """The paper's table with intervals, what it leads to, and where the figure stands."""
    from edge_aver.benchmarks.backbone_tables import print_candidates

    published = outcome.published
    if json_path != "-":
        console = Console(highlight=False)
        print_candidates(console, published.candidates(), level=outcome.choice.level)
        console.print(f"{published.source}. The paper's accuracies: nothing was measured here.", markup=False)
        console.print(str(outcome.choice), markup=False)
        console.print(f"Figure: {outcome.figure}", soft_wrap=True, markup=False)
    _write_json({**asdict(outcome.choice), "source": published.source, "figure": outcome.figure}, json_path)


def show_verdict(verdict: "Verdict", json_path: str | None) -> None:
    """Both accuracies, the clips that changed, the difference with its intervals, and the verdict."""
    if json_path != "-":
        console = Console(highlight=False)
        for letter, name in (("A", verdict.a), ("B", verdict.b)):
            console.print(f"{letter}  {name}", markup=False)
        for part in ("", _accuracies(verdict), "", _flips(verdict), ""):
            console.print(part)
        for line in _difference(verdict):
            console.print(line, markup=False)
    _write_json(asdict(verdict), json_path)


def show_speed(verdict: "SpeedVerdict", json_path: str | None) -> None:
    """The ratios with their intervals, or that they are not significant, and the verdict."""
    lines = [f"A  {verdict.a}", f"B  {verdict.b}", ""]
    for title, ratio in (("Network latency", verdict.network), ("End to end", verdict.end_to_end)):
        lines.append(f"{title}, B over A: {_ratio(ratio)}")
    lines += [*verdict.remarks, *(f"INVALID: {reason}" for reason in verdict.invalid), *_note(verdict.note)]
    meaning = {"PASS": "B is no slower than that", "FAIL": "B is slower", "INCONCLUSIVE": "the interval reaches both"}
    lines.append(f"{verdict.verdict} at a tolerance of {verdict.margin:g} %: {meaning[verdict.verdict]}")
    _emit("\n".join(lines), asdict(verdict), json_path)


def show_demo(outcome: "DemoOutcome") -> None:
    """The table of results and the path of the report."""
    show_results(outcome.results, None)
    print("\nTo use the edge-aver command as it was used here: . .venv/bin/activate")
    print(f"Report: {outcome.report}")


def show_doctor(json_path: str | None) -> None:
    """What is installed and which targets work here."""
    if json_path != "-":
        console = Console()
        for table in doctor_tables():
            console.print(table)
            console.print()
        console.print(int8_state(), highlight=False)
    needs, targets = map(asdict, check_needs()), map(asdict, check_targets())
    _write_json({"needs": list(needs), "targets": list(targets), "int8": int8_state()}, json_path)


def _ladder(artifact: Artifact) -> Table:
    title = f"{artifact.path}  {artifact.size_bytes / 1e6:.1f} MB"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("Step")
    for column in ("Largest diff.", "Cosine", "SQNR, dB", "Top-1 agreement", "Clips"):
        table.add_column(column, justify="right")
    for step in artifact.parity:
        cells = (f"{step['max_abs_diff']:.2g}", f"{step['cosine']:.6f}", f"{step['sqnr_db']:.1f}")
        table.add_row(step["step"], *cells, f"{step['top1_agreement']:.1%}", str(step["clips"]))
    if artifact.build.get("engine_parity"):
        table.add_row("engine", *["not measured"] * 4, "0")
    return table


def _accuracies(verdict: "Verdict") -> Table:
    table = _figures("", "Correct", "Accuracy, %", "95 % Wilson", "98 % Wilson")
    for letter, score in (("A", verdict.accuracy_a), ("B", verdict.accuracy_b)):
        intervals = (_range(score.interval_95, "{:.1f}"), _range(score.interval_98, "{:.1f}"))
        table.add_row(letter, f"{score.correct}/{score.total}", f"{100 * score.rate:.1f}", *intervals)
    return table


def _flips(verdict: "Verdict") -> Table:
    table = _figures("Emotion", "Clips", "Right to wrong", "Wrong to right", "Wrong, otherwise")
    for label, flips in (*verdict.flips_by_label.items(), ("all", verdict.flips)):
        counts = (flips.clips, flips.right_to_wrong, flips.wrong_to_right, flips.both_wrong_changed)
        table.add_row(Text(label), *map(str, counts))
    return table


def _difference(verdict: "Verdict") -> Iterator[str]:
    actors = f"{verdict.actors} actor{'s' if verdict.actors != 1 else ''}"
    yield f"B - A: {100 * verdict.difference:+.2f} points, {verdict.clips} clips of {actors}"
    level = f"{100 * verdict.level:g} % interval"
    if verdict.interval is not None:
        bootstrap = f"bootstrap, {verdict.draws:,} draws, seed {verdict.seed}"
        yield f"{level} over actors: {_range(verdict.interval, '{:+.2f}')} ({bootstrap})"
    yield f"{level} over clips:  {_range(verdict.clip_interval, '{:+.2f}')} (Clopper-Pearson, for few flips)"
    yield f"McNemar, exact, two-sided: p = {verdict.mcnemar_p:.3g}"
    yield from (*verdict.remarks, *(f"INVALID: {reason}" for reason in verdict.invalid), *_note(verdict.note))
    yield f"{verdict.verdict} at a {verdict.margin:g}-point margin: {_meaning(verdict)}"


def _meaning(verdict: "Verdict") -> str:
    if verdict.clips_needed is not None:
        per_actor = verdict.clips / verdict.actors
        actors = max(verdict.actors + 1, math.ceil(verdict.clips_needed / per_actor))
        why = f"-{verdict.margin:g} lies within an interval; " if verdict.interval else ""
        needed = f"{verdict.clips_needed:,} clips, of {actors:,} actors with {per_actor:.3g} each"
        return f"{why}about {needed}, would decide (power 80 %)"
    return "B loses less" if verdict.verdict == "PASS" else "B loses more"


def _ratio(ratio: "Ratio | None") -> str:
    if ratio is None:
        return "not measured in both"
    ends = f"95 % {ratio.interval.low:.3f} to {ratio.interval.high:.3f}, over {ratio.over}"
    return f"{ratio.value:.3f} ({ends}), {'significant' if ratio.significant else 'not significant'}"


def _figures(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(first)
    for title in others:
        table.add_column(title, justify="right")
    return table


def _range(interval: "Interval", form: str) -> str:
    return " to ".join(form.format(100 * end) for end in (interval.low, interval.high))


def _note(note: str | None) -> list[str]:
    return [note] if note else []


def _emit(text: str, table: Any, json_path: str | None) -> None:
    if json_path != "-":
        print(text)
    _write_json(table, json_path)


def _write_json(table: Any, json_path: str | None) -> None:
    if json_path == "-":
        print(json_text(_plain(table)), end="")
    elif json_path is not None:
        write_text(Path(json_path), json_text(_plain(table)))


def _plain(value: Any) -> Any:
    """Paths as text, tuples as lists: what JSON takes."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
