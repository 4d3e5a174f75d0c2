"""Accuracy of one network over its folds, each by itself and all clips together; what does not belong is refused."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge_aver.benchmarks.accuracy import Accuracy, accuracy_of
from edge_aver.benchmarks.calibration_error import Calibration, calibration_of
from edge_aver.benchmarks.results import Result
from edge_aver.errors import ComparisonError

__all__ = ["Pooled", "check_poolable", "pool_accuracy", "pools"]


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """Accuracy over several folds.

    Attributes:
        name: architecture, precision, target and corpus.
        folds: of each fold's test clips, by its number.
        together: of all of them.
        calibration: of all of them.
    """

    name: str
    folds: dict[int, Accuracy]
    together: Accuracy
    calibration: Calibration | None


def check_poolable(where: str, results: Sequence[tuple[str, Result]]) -> None:
    """Folds of one network may be pooled; two networks, devices, schemas or preparations, or one fold twice, may not.

    Args:
        where: what the message begins with.
        results: with a name each.

    Raises:
        ComparisonError: they do not belong together; what differs is named.
    """
    for what, values in (
        ("architecture", {result.spec.architecture for _, result in results}),
        ("precision", {result.artifact.precision for _, result in results}),
        ("target", {result.artifact.target for _, result in results}),
        ("corpus", {result.spec.corpus for _, result in results}),
        ("schema version", {str(result.schema_version) for _, result in results}),
        ("device", {result.machine.device for _, result in results}),
    ):
        if len(values) > 1:
            found = ", ".join(sorted(values))
            raise ComparisonError(f"{where}: holds results of more than one {what} ({found}); give a folder to each")
    if len({repr(result.spec.preprocessing) for _, result in results}) > 1:
        raise ComparisonError(f"{where}: holds results of clips that were prepared with different constants")
    seen: dict[int, str] = {}
    for name, result in results:
        if first := seen.get(result.spec.fold):
            raise ComparisonError(f"{where}: fold {result.spec.fold} stands in both {first} and {name}")
        seen[result.spec.fold] = name


def pool_accuracy(results: Sequence[Result]) -> Pooled:
    """Pool the folds of one network.

    Raises:
        ComparisonError: they do not belong together, or one holds no predictions.
    """
    check_poolable("accuracy over folds", [(result.artifact.name, result) for result in results])
    folds = {result.spec.fold: accuracy_of(result.predictions, result.spec.labels) for result in results}
    if missing := [str(fold) for fold, accuracy in folds.items() if accuracy is None]:
        raise ComparisonError(f"accuracy over folds: accuracy of fold {missing[0]} was not measured")
    clips = [item for result in results for item in result.predictions]
    together = accuracy_of(clips, results[0].spec.labels)
    assert together is not None
    return Pooled(
        name=_name(results[0]),
        folds={fold: accuracy for fold, accuracy in sorted(folds.items()) if accuracy is not None},
        together=together,
        calibration=calibration_of(clips),
    )


def pools(results: Iterable[Result]) -> tuple[Pooled, ...]:
    """Every network of which two folds or more were measured, on one device with clips prepared alike.

    Of a fold that was measured more than once the newest counts.
    """
    groups: dict[tuple[str, ...], dict[int, Result]] = {}
    for result in results:
        if not result.predictions:
            continue
        machine, spec = result.machine, result.spec
        key = (_name(result), machine.device, repr(spec.preprocessing), str(result.schema_version))
        group = groups.setdefault(key, {})
        if spec.fold not in group or group[spec.fold].started_utc < result.started_utc:
            group[spec.fold] = result
    return tuple(pool_accuracy(list(group.values())) for group in groups.values() if len(group) > 1)


def _name(result: Result) -> str:
    return f"{result.spec.architecture} {result.artifact.precision} on {result.artifact.target}, {result.spec.corpus}"
