"""Which results are of one network over its folds: what is advised of it is advised once, not fold by fold."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from edge_aver.benchmarks.costs import Network, networks
from edge_aver.benchmarks.results import Result

__all__ = ["Family", "families"]


@dataclass(frozen=True, kw_only=True)
class Family:
    """One architecture on one target and machine, over one fold or more, each measured in the same precisions.

    Attributes:
        name: what a reader calls it: architecture, corpus and folds, and whatever else tells it from its neighbours.
        folds: one network each, by the fold's number.
    """

    name: str
    folds: tuple[Network, ...]

    @property
    def target(self) -> str:
        """Name of the device profile."""
        return _first(self.folds[0]).artifact.target

    @property
    def members(self) -> tuple[Result, ...]:
        """Every result, fold by fold, fp32 first where it was measured."""
        return tuple(result for network in self.folds for result in network.members)

    @property
    def baseline(self) -> tuple[Result, ...]:
        """Of fp32, one a fold; () where it was not measured."""
        return tuple(network.baseline for network in self.folds if network.baseline)

    @property
    def others(self) -> tuple[tuple[Result, ...], ...]:
        """Of every other precision, one a fold."""
        names = [result.artifact.precision for result in self.folds[0].others]
        return tuple(tuple(item for item in self.members if item.artifact.precision == name) for name in names)


def families(results: Iterable[Result]) -> tuple[Family, ...]:
    """Results of networks, those of one network over different folds together, in the order in which they come.

    Folds whose clips were prepared with other constants or whose results are of another schema stay apart, and so do
    those of which not the same precisions were measured. Where a fold stands there twice, from two checkpoints, nobody
    can tell which of them goes with the other folds: none are put together.
    """
    groups: dict[tuple[object, ...], list[Network]] = {}
    for network in networks(results):
        groups.setdefault(_key(network), []).append(network)
    found = [members for group in groups.values() for members in _apart(group)]
    labels = [_label(members) for members in found]
    machines = {_first(members[0]).machine.device for members in found}
    return tuple(
        Family(name=_name(members, alone=labels.count(label) == 1, machine=len(machines) > 1), folds=tuple(members))
        for members, label in zip(found, labels, strict=True)
    )


def _key(network: Network) -> tuple[object, ...]:
    first = _first(network)
    precisions = frozenset(result.artifact.precision for result in network.members)
    spec = first.spec
    written = (repr(spec.preprocessing), first.schema_version)
    return first.artifact.target, spec.architecture, spec.corpus, first.machine.state, *written, precisions


def _apart(group: list[Network]) -> Iterator[list[Network]]:
    folds = Counter(_first(network).spec.fold for network in group)
    if max(folds.values()) > 1:
        yield from ([network] for network in group)
    else:
        yield sorted(group, key=lambda network: _first(network).spec.fold)


def _label(members: list[Network]) -> tuple[object, ...]:
    first = _first(members[0])
    return first.artifact.target, first.machine.device, _told(members)


def _told(members: list[Network]) -> str:
    spec = _first(members[0]).spec
    folds = [str(_first(network).spec.fold) for network in members]
    return f"{spec.architecture}, {spec.corpus} fold{'s' if len(folds) > 1 else ''} {', '.join(folds)}"


def _name(members: list[Network], *, alone: bool, machine: bool) -> str:
    first = _first(members[0])
    told = _told(members)
    if machine:
        told += f", {first.machine.device}"
    if not alone:
        digest = first.spec.checkpoint_sha256
        told += f", checkpoint {digest[:8]}" if digest else ", checkpoint not recorded"
    return told


def _first(network: Network) -> Result:
    return network.members[0]
