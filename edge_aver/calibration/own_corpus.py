"""Clips of one's own, from the manifest to the prepared store with its folds."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from edge_aver.calibration.folds import FOLDS_FILE, Split, read_folds
from edge_aver.calibration.make_folds import FEWEST_FOLDS, folds_of_splits, make_folds, write_folds
from edge_aver.cluster import RemoteExecutor
from edge_aver.console import say
from edge_aver.corpora.own import OwnCorpus
from edge_aver.corpora.prepare import PrepareSummary, prepare
from edge_aver.corpora.store import PreparedStore
from edge_aver.errors import CorpusError
from edge_aver.media.clip import FrontEndPlan
from edge_aver.spec import Preprocessing

__all__ = ["CorpusPlan", "FoldSize", "plan_corpus", "prepare_planned"]

_USUAL_FOLDS = 5


@dataclass(frozen=True, kw_only=True)
class FoldSize:
    """Subjects and clips of one part of a fold."""

    subjects: int
    clips: int


@dataclass(frozen=True, kw_only=True)
class CorpusPlan:
    """What preparing a corpus of one's own comes to; nothing is decoded or written yet.

    Attributes:
        corpus: its clips.
        splits: the folds; () where there are too few subjects.
        origin: how the folds come about, in words.
        kept: whether they stand in the store already, and stay.
        remarks: what a person should know, one line each.
    """

    corpus: OwnCorpus
    splits: tuple[Split, ...]
    origin: str
    kept: bool
    remarks: tuple[str, ...]

    def sizes(self) -> tuple[dict[str, FoldSize], ...]:
        """Of each fold, how large its parts are."""
        clips = Counter(clip.actor for clip in self.corpus.clips)
        return tuple(
            {
                part: FoldSize(
                    subjects=sum(actor in clips for actor in actors), clips=sum(clips[actor] for actor in actors)
                )
                for part, actors in split.parts.items()
            }
            for split in self.splits
        )


def plan_corpus(corpus: OwnCorpus, *, store: Path, folds: int | None = None, seed: int = 0) -> CorpusPlan:
    """Decide on the folds: the manifest's own, those asked for, those in the store, or five.

    Args:
        corpus: read from a manifest or by a reader of file names.
        store: folder of its prepared store, which may not exist yet.
        folds: how many to make; None keeps what is there.
        seed: of those that are made.

    Raises:
        CorpusError: folds asked for beside a split column, or too few subjects for them.
        DeclarationError: the store's folds cannot be read.
    """
    splits, origin, kept = _folds(corpus, store, folds, seed, {clip.actor for clip in corpus.clips})
    remarks = (*corpus.remarks, *_fold_remarks(corpus, splits))
    return CorpusPlan(corpus=corpus, splits=splits, origin=origin, kept=kept, remarks=remarks)


def prepare_planned(
    plan: CorpusPlan,
    *,
    store: Path,
    front_end: FrontEndPlan,
    folds: int | None = None,
    seed: int = 0,
    constants: Preprocessing | None = None,
    workers: int | None = None,
    executor: Executor | RemoteExecutor | None = None,
) -> tuple[PrepareSummary, CorpusPlan]:
    """Make the prepared store of a corpus of one's own, or continue it, and write its folds.

    The store follows the manifest: clips of rows that are gone are removed, with one remark. Folds are made of subjects
    that have a clip in the end.

    Args:
        plan: of `plan_corpus`.
        store: folder of the prepared store.
        front_end: what makes the tensors.
        folds: as for `plan_corpus`.
        seed: as for `plan_corpus`.
        constants: of the clip contract; None for those of this version.
        workers: processes; None for one a core.
        executor: does the work instead of processes of this machine.

    Returns:
        The summary, and the plan with the folds as they were written.

    Raises:
        CorpusError: nothing could be prepared, the store holds other clips, or too few subjects are left for the folds.
    """
    corpus = plan.corpus
    _follow(store, {clip.id for clip in corpus.clips})
    summary = prepare(
        corpus.clips,
        corpus.refusals,
        folder=store,
        corpus=corpus.name,
        front_end=front_end,
        labels=corpus.labels,
        constants=constants,
        workers=workers,
        executor=executor,
    )
    opened = PreparedStore.open(store)
    present = {clip.actor for clip in corpus.clips if opened.path(clip.id).is_file()}
    if lost := [name for name, actor in corpus.subjects.items() if actor not in present]:
        say(f"{store}: in no fold, since no clip could be prepared: {_some(lost)}")
    splits, origin, kept = _folds(corpus, store, folds, seed, present)
    if splits and not kept:
        write_folds(store, corpus.name, splits, corpus.subjects, origin=origin)
    return summary, CorpusPlan(corpus=corpus, splits=splits, origin=origin, kept=kept, remarks=plan.remarks)


def _folds(
    corpus: OwnCorpus, store: Path, folds: int | None, seed: int, present: Collection[int]
) -> tuple[tuple[Split, ...], str, bool]:
    """The folds of the subjects that are present, how they come about, and whether they stand in the store already."""
    if corpus.splits:
        if folds is not None:
            raise CorpusError("--folds: the manifest's column split says who trains; leave one of both out")
        said = {corpus.subjects[name]: split for name, split in corpus.splits.items()}
        said = {actor: split for actor, split in said.items() if actor in present}
        return folds_of_splits(said), "one fold, of the manifest's column split", False
    if folds is None and (store / FOLDS_FILE).is_file():
        return read_folds(store / FOLDS_FILE).folds, "as they were made before", True
    usual = store.with_name(corpus.name) / FOLDS_FILE  # of the store with the constants of this version
    if folds is None and usual.is_file():
        return read_folds(usual).folds, f"as they were made for {usual.parent.name}", False
    count = min(_USUAL_FOLDS, len(present)) if folds is None else folds
    if folds is None and count < FEWEST_FOLDS:
        return (), f"none: {len(present)} subjects are too few to test, validate and train on", False
    counts = {actor: row for actor, row in _counts(corpus).items() if actor in present}
    made = make_folds(counts, count, seed=seed)
    return made, f"{count} folds by subject, stratified by label, seed {seed}", False


def _counts(corpus: OwnCorpus) -> dict[int, list[int]]:
    """Clips of each label by actor."""
    counts: dict[int, list[int]] = {}
    for clip in corpus.clips:
        counts.setdefault(clip.actor, [0] * len(corpus.labels))[clip.label] += 1
    return counts


def _fold_remarks(corpus: OwnCorpus, splits: Sequence[Split]) -> list[str]:
    counts, remarks = _counts(corpus), []
    for split in splits:
        for part in ("train", "test"):
            held = [counts[actor] for actor in split.parts[part] if actor in counts]
            lacking = [label for index, label in enumerate(corpus.labels) if sum(row[index] for row in held) == 0]
            if lacking:
                remarks.append(f"fold {split.index}: no {part} clip is labelled {', '.join(lacking)}")
    known = {actor for split in splits for actors in split.parts.values() for actor in actors}
    if splits and (strangers := [name for name, actor in corpus.subjects.items() if actor not in known]):
        remarks.append(f"in no fold: {_some(strangers)}; make folds anew with --folds K, then train again")
    if gone := known - set(corpus.subjects.values()):
        remarks.append(f"subjects of the folds without a clip: {len(gone)}; make folds anew with --folds K")
    return remarks


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    rest = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"subject{'s' if len(names) > 1 else ''} {shown}{rest}"


def _follow(store: Path, ids: Collection[str]) -> None:
    """Remove prepared clips that the manifest no longer lists, unless it is another corpus's altogether."""
    there: Mapping[str, Path] = {path.stem: path for path in (store / "clips").glob("*.npz")}
    if there and not there.keys() & set(ids):
        raise CorpusError(
            f"{store}: holds {len(there)} clips of which none stands in this manifest; give this one another --name, "
            "or remove the folder"
        )
    gone = sorted(there.keys() - set(ids))
    for name in gone:
        there[name].unlink()
    if gone:
        say(f"{store}: clips removed since they are no longer listed: {len(gone):,}; the first, {gone[0]}")
