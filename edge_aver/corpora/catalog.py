"""The corpora that `edge-aver prepare` knows, and how each is prepared into a workspace."""

from pathlib import Path

from edge_aver.cluster import RemoteExecutor
from edge_aver.corpora.prepare import PrepareSummary, prepare
from edge_aver.corpora.ravdess import find_clips
from edge_aver.corpora.store import store_name
from edge_aver.corpora.synthetic import generate_corpus
from edge_aver.corpora.synthetic.generate import MARKER
from edge_aver.errors import CorpusError
from edge_aver.media.clip import FrontEndPlan
from edge_aver.spec import Preprocessing
from edge_aver.workspace import Workspace

__all__ = ["CORPORA", "prepare_corpus"]

CORPORA = ("ravdess", "synthetic")
"""`ravdess` reads a folder of clips; `synthetic` is generated here. `composite` takes no clips: `prepare_composite`."""


def prepare_corpus(
    corpus: str,
    *,
    data: Path | None,
    workspace: Workspace,
    front_end: FrontEndPlan,
    constants: Preprocessing | None = None,
    workers: int | None = None,
    executor: RemoteExecutor | None = None,
) -> PrepareSummary:
    """Prepare a corpus into the workspace's store; what is prepared already is kept.

    Args:
        corpus: one of `CORPORA`.
        data: folder of its clips; None only for `synthetic`, which is then generated into the workspace.
        workspace: where to write.
        front_end: what makes tensors of a clip.
        constants: from clip to tensors; None for those of this version. Others have a store of their own.
        workers: processes; as many as there are cores by default.
        executor: prepares instead of processes of this machine; what is generated is drawn here.

    Raises:
        CorpusError: unknown corpus, no folder given, no clips in it, or none of them usable.
    """
    if corpus not in CORPORA:
        raise CorpusError(f"unknown corpus {corpus!r}; known: {', '.join(CORPORA)}")
    if data is None and corpus != "synthetic":
        raise CorpusError(f"corpus {corpus} is read from a folder: give it with --data DIR")
    if data is None:
        data = workspace.corpus(corpus)
        generate_corpus(data, workers=workers)
    _check_kind(corpus, data)
    clips, refusals = find_clips(data)
    constants = constants or Preprocessing()
    return prepare(
        clips,
        refusals,
        folder=workspace.prepared(store_name(corpus, constants)),
        corpus=corpus,
        front_end=front_end,
        constants=constants,
        workers=workers,
        executor=executor,
    )


def _check_kind(corpus: str, data: Path) -> None:
    """Generated clips must not pass for recordings of people, nor the other way round."""
    above = any((folder / MARKER).is_file() for folder in (data, *data.resolve().parents))
    generated = above or next(data.rglob(MARKER), None) is not None
    if generated and corpus != "synthetic":
        raise CorpusError(f"{data}: holds generated clips; prepare them with --corpus synthetic")
    if not generated and corpus == "synthetic":
        raise CorpusError(f"{data}: holds no clips that edge-aver generated; leave out --data, or use --corpus ravdess")
