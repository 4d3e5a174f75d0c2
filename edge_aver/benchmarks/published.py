"""Published systems (the paper's Table 3), and which of ours may stand among them: those of the same protocol."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from edge_aver import declarations
from edge_aver.benchmarks.results import Result
from edge_aver.benchmarks.stats import Interval, wilson_interval
from edge_aver.benchmarks.validity import invalid_reasons
from edge_aver.calibration.folds import fold_count, load_fold
from edge_aver.errors import DeclarationError

__all__ = ["Pooled", "Published", "PublishedSystem", "load_published", "pool_folds"]

_FOLDER = "benchmarks/published"
_CLIPS_OF_ACTOR = 60
"""Of RAVDESS's audiovisual speech (paper, 4.2.2)."""


@dataclass(frozen=True, kw_only=True)
class PublishedSystem:
    """A row of Table 3, with its digits as printed.

    Attributes:
        name: as the paper calls it.
        accuracy_percent: as printed.
        parameters_m: in millions, as printed; None: "not reported".
        parameters_of: the part of the system that these count; "" for all of it.
        architecture: of `spec.ARCHITECTURES` where it is the paper's own; None for others' systems.
        reference: its number in the paper's bibliography; None for the paper's own.
        citation: whose it is.
    """

    name: str
    accuracy_percent: str
    parameters_m: str | None = None
    parameters_of: str = ""
    architecture: str | None = None
    reference: int | None = None
    citation: str

    def __post_init__(self) -> None:
        """Refuse what is no percentage."""
        try:
            known = 0 < self.rate < 1
        except ValueError:
            known = False
        if not known:
            raise DeclarationError(f"{self.name}: accuracy_percent {self.accuracy_percent!r}; expected '88.33'")

    @property
    def rate(self) -> float:
        """Accuracy in [0, 1]."""
        return float(self.accuracy_percent) / 100


@dataclass(frozen=True, kw_only=True)
class Published:
    """Systems of one corpus, and where their figures come from.

    Attributes:
        corpus: that all of them were measured on.
        source, doi: of the table.
        assumed_clips: the N of their intervals, which nobody told.
        assumption: says so, and why this many.
        systems: in the order of the table.
    """

    corpus: str
    source: str
    doi: str
    assumed_clips: int
    assumption: str
    systems: tuple[PublishedSystem, ...]

    def interval(self, system: PublishedSystem, *, level: float) -> Interval:
        """Wilson interval of a system's accuracy at the N assumed."""
        return wilson_interval(system.rate * self.assumed_clips, self.assumed_clips, level=level)


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """One artifact over all folds: `correct` of `total` clips, or the `reason` why it stands not among the others."""

    results: tuple[Result, ...]
    correct: int = 0
    total: int = 0
    reason: str = ""

    @property
    def rate(self) -> float:
        """Accuracy in [0, 1]; 0 where there is a reason against it."""
        return self.correct / self.total if self.total else 0.0

    def interval(self, *, level: float) -> Interval:
        """Wilson interval of the accuracy."""
        return wilson_interval(self.correct, self.total, level=level)


def load_published(name: str) -> Published:
    """Read the published systems of a corpus by name.

    Raises:
        DeclarationError: unknown name, unknown or missing keys, wrong types, an accuracy that is none.
    """
    return declarations.load(Published, _FOLDER, name)


def pool_folds(results: Sequence[Result], published: Published) -> tuple[Pooled, ...]:
    """Results by network, precision, target, machine and corpus, each pooled over its folds where the protocol is kept.

    The protocol: real clips of the corpus, every fold once, all clips of its test actors, and no INVALID result.

    Args:
        results: of any corpus; front ends are left out.
        published: the systems they are to stand among.
    """
    groups: dict[tuple[str, ...], list[Result]] = {}
    for result in results:
        if result.suite.front_end is None:
            machine = result.machine.device
            key = (
                result.spec.architecture,
                result.artifact.precision,
                result.artifact.target,
                machine,
                result.spec.corpus,
            )
            groups.setdefault(key, []).append(result)
    return tuple(_pool(tuple(group), published.corpus) for group in groups.values())


def _pool(results: tuple[Result, ...], corpus: str) -> Pooled:
    if reason := _reason(results, corpus):
        return Pooled(results=results, reason=reason)
    said = [item for result in results for item in result.predictions]
    return Pooled(results=results, correct=sum(item.label == item.prediction for item in said), total=len(said))


def _reason(results: tuple[Result, ...], corpus: str) -> str:
    """Why results of one corpus are not of the paper's protocol; "" where they are."""
    if results[0].spec.corpus != corpus:
        return f"measured on {results[0].spec.corpus} clips, not on {corpus} itself"
    folds = Counter(result.spec.fold for result in results)
    if twice := [fold for fold, count in folds.items() if count > 1]:
        return f"fold {twice[0]} was given more than once"
    known = range(1, fold_count(corpus) + 1)
    if unknown := [fold for fold in folds if fold not in known]:
        return f"fold {unknown[0]} is none of the {len(known)}"
    if lacking := [str(fold) for fold in known if fold not in folds]:
        return f"fold {', '.join(lacking)} of {len(known)} was not measured"
    if len(schemas := {str(result.schema_version) for result in results}) > 1:
        return f"its results are of more than one schema version ({', '.join(sorted(schemas))})"
    return next((reason for result in results if (reason := _fold_reason(result, corpus))), "")


def _fold_reason(result: Result, corpus: str) -> str:
    fold, actors = result.spec.fold, load_fold(corpus, result.spec.fold).test
    if invalid := invalid_reasons(result):
        return f"the result of fold {fold} is INVALID: {invalid[0]}"
    counts = Counter(item.actor for item in result.predictions)
    if len({item.id for item in result.predictions}) < len(result.predictions):
        return f"fold {fold} holds a clip twice"
    if counts != dict.fromkeys(actors, _CLIPS_OF_ACTOR):
        told = f"{len(result.predictions)} clips of actors {', '.join(map(str, sorted(counts))) or 'unknown'}"
        return f"fold {fold} holds {told}; the protocol has {_CLIPS_OF_ACTOR} each of {', '.join(map(str, actors))}"
    return ""
