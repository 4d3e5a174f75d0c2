from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from edge_aver.benchmarks.pooling import pool_accuracy, pools
from edge_aver.benchmarks.results import Result
from edge_aver.benchmarks.stats import wilson_interval
from edge_aver.errors import ComparisonError


def _fold(make_result: Callable[..., Result], fold: int, correct: int, **changes: Any) -> Result:
    result = make_result(correct=correct, **changes)
    return replace(result, spec=replace(result.spec, fold=fold))


def test_folds_are_told_each_and_together(make_result: Callable[..., Result]) -> None:
    pooled = pool_accuracy([_fold(make_result, 2, 40), _fold(make_result, 1, 52)])
    assert {fold: accuracy.correct for fold, accuracy in pooled.folds.items()} == {1: 52, 2: 40}
    assert list(pooled.folds) == [1, 2]
    assert (pooled.together.correct, pooled.together.total) == (92, 128)
    assert pooled.together.interval_98 == wilson_interval(92, 128, level=0.98)
    assert pooled.calibration is not None
    assert sum(item.clips for item in pooled.calibration.bins) == 128
    assert sum(item.total for item in pooled.together.by_label) == 128
    first = pooled.together.by_label[0]
    assert first.interval_95 == wilson_interval(first.correct, 16, level=0.95)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: replace(r, spec=replace(r.spec, fold=1)), "fold 1 stands in both"),
        (lambda r: replace(r, spec=replace(r.spec, architecture="ca")), "more than one architecture"),
        (lambda r: replace(r, artifact=replace(r.artifact, precision="fp32")), "more than one precision"),
        (lambda r: replace(r, artifact=replace(r.artifact, target="rtx-4090")), "more than one target"),
        (lambda r: replace(r, machine=replace(r.machine, cpu="Another")), "more than one device"),
        (lambda r: replace(r, spec=replace(r.spec, corpus="composite")), "more than one corpus"),
        (lambda r: replace(r, schema_version=1), r"more than one schema version \(1, 2\)"),
        (
            lambda r: replace(r, spec=replace(r.spec, preprocessing=replace(r.spec.preprocessing, n_fft=1024))),
            "prepared with different constants",
        ),
        (lambda r: replace(r, predictions=()), "accuracy of fold 2 was not measured"),
    ],
)
def test_what_does_not_belong_together_is_refused_by_name(
    make_result: Callable[..., Result], change: Callable[[Result], Result], message: str
) -> None:
    with pytest.raises(ComparisonError, match=message):
        pool_accuracy([_fold(make_result, 1, 52), change(_fold(make_result, 2, 40))])


def test_networks_with_two_folds_are_found(make_result: Callable[..., Result]) -> None:
    older, newer = _fold(make_result, 1, 20, started_utc="2026-01-01"), _fold(make_result, 1, 52)
    others = [_fold(make_result, 2, 40), _fold(make_result, 2, 40, precision="fp32"), make_result(predictions=())]
    (pooled,) = pools([older, newer, *others])
    assert pooled.name == "sa int8 on openvino-cpu, synthetic"
    assert pooled.together.correct == 92


def test_folds_of_two_schemas_stay_apart(make_result: Callable[..., Result]) -> None:
    folds = [_fold(make_result, fold, 40) for fold in (1, 2, 3)]
    (pooled,) = pools([*folds, replace(_fold(make_result, 4, 40), schema_version=1)])
    assert list(pooled.folds) == [1, 2, 3]
