"""Which backbones are statistically tied with the best, and which one a size budget leaves (paper, 4.1)."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge_aver import declarations
from edge_aver.benchmarks.stats import Interval, wilson_interval
from edge_aver.errors import DeclarationError, MeasurementError

__all__ = ["Candidate", "Choice", "PublishedBackbone", "PublishedBackbones", "choose", "load_published_backbones"]

_FOLDER = "benchmarks/published"


@dataclass(frozen=True, kw_only=True)
class PublishedBackbone:
    """A row of the paper's Table 2, digits as printed."""

    name: str
    accuracy_percent: str
    size_mb: str


@dataclass(frozen=True, kw_only=True)
class PublishedBackbones:
    """The paper's Table 2 and what it concludes from it (`benchmarks/published/backbones.toml`).

    Attributes:
        corpus, source, doi: what was measured on, and where it stands.
        test_faces: N of the intervals.
        level: of the intervals in Figure 7.
        budget_mb: the robot's largest model, of 10^6 bytes.
        overlapping: networks that the text names as overlapping; "including", so there may be more.
        chosen: the network that it takes.
        networks: the table.
    """

    corpus: str
    source: str
    doi: str
    test_faces: int
    level: float
    budget_mb: float
    overlapping: tuple[str, ...]
    chosen: str
    networks: tuple[PublishedBackbone, ...]

    def candidates(self) -> tuple["Candidate", ...]:
        """The table as what `choose` takes, with the sizes it prints."""
        return tuple(
            Candidate(
                name=item.name,
                correct=float(item.accuracy_percent) / 100 * self.test_faces,
                total=self.test_faces,
                size_mb=float(item.size_mb),
            )
            for item in self.networks
        )


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A network with `correct` of `total` faces (not whole where a rounded rate was published), and its size.

    `size_mb` is of 10^6 bytes; None where it is not known: such a network fits no budget.
    """

    name: str
    correct: float
    total: int
    size_mb: float | None

    @property
    def rate(self) -> float:
        """Accuracy in [0, 1]."""
        return self.correct / self.total

    def interval(self, level: float) -> Interval:
        """Wilson interval of the accuracy (paper, equation 5)."""
        return wilson_interval(self.correct, self.total, level=level)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the intervals say.

    Attributes:
        level, budget_mb: that were asked for.
        best: the most accurate.
        tied: networks whose interval overlaps that of the best, itself included, from the most accurate on.
        fitting: networks within the budget.
        chosen: the most accurate network within the budget that is tied with the best; where there is none, the most
            accurate within the budget; None where nothing fits.
    """

    level: float
    budget_mb: float
    best: str
    tied: tuple[str, ...]
    fitting: tuple[str, ...]
    chosen: str | None

    @property
    def chosen_is_tied(self) -> bool:
        """Whether the budget costs no accuracy that these intervals could tell."""
        return self.chosen in self.tied

    def __str__(self) -> str:
        """The conclusion in words."""
        tied = f"Tied with {self.best} at {100 * self.level:g} %: {', '.join(self.tied[1:]) or 'none'}."
        if self.chosen is None:
            return f"{tied} None fits {self.budget_mb:g} MB."
        how = "tied with the best" if self.chosen_is_tied else "worse than the best: its interval lies below"
        return f"{tied} Best within {self.budget_mb:g} MB: {self.chosen} ({how})."


def choose(candidates: Sequence[Candidate], *, budget_mb: float, level: float = 0.98) -> Choice:
    """Name the networks tied with the best, and the best within a budget.

    Tied means overlapping intervals, as the paper has it. That is lenient: all networks see the same faces, and a
    paired test of their answers could tell some of them apart.

    Args:
        candidates: in any order, each with faces answered.
        budget_mb: largest size, of 10^6 bytes.
        level: of the intervals.

    Raises:
        MeasurementError: no candidate.
    """
    if not candidates:
        raise MeasurementError("no accuracy to choose by: give --train with --data, or --published")
    ranked = sorted(candidates, key=lambda item: (-item.rate, item.name))
    floor = ranked[0].interval(level).low
    tied = tuple(item.name for item in ranked if item.interval(level).high >= floor)
    fitting = tuple(item.name for item in ranked if item.size_mb is not None and item.size_mb <= budget_mb)
    chosen = next((name for name in fitting if name in tied), fitting[0] if fitting else None)
    return Choice(level=level, budget_mb=budget_mb, best=ranked[0].name, tied=tied, fitting=fitting, chosen=chosen)


def load_published_backbones(name: str = "backbones") -> PublishedBackbones:
    """Read the paper's Table 2, or another table of that form by shipped name or path.

    Raises:
        DeclarationError: unknown name, unknown or missing keys, an accuracy or size that is none.
    """
    table = declarations.load(PublishedBackbones, _FOLDER, name)
    for item in table.networks:
        try:
            accuracy, size = float(item.accuracy_percent), float(item.size_mb)
        except ValueError as error:
            raise DeclarationError(f"{name}: {item.name}: {error}") from error
        if not (0 <= accuracy <= 100 and size > 0):
            raise DeclarationError(f"{name}: {item.name}: {accuracy} % at {size} MB")
    return table
