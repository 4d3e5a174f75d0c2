"""Composite clips: each recording of RAVDESS with a face of FER2013 that shows the same emotion, whoever's it is."""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from edge_aver.cluster import RemoteExecutor
from edge_aver.console import say
from edge_aver.corpora.fer2013 import Face, FaceArchive, decode_face, open_faces
from edge_aver.corpora.prepare import PrepareSummary, make_store
from edge_aver.corpora.ravdess import ACTORS, SourceClip, find_recordings
from edge_aver.corpora.sway import Sway, swaying
from edge_aver.errors import CorpusError, LeakError
from edge_aver.files import sha256_bytes
from edge_aver.media.audio import segments
from edge_aver.media.clip import ClipTensors
from edge_aver.media.decode import decode_speech
from edge_aver.media.speech import speech_steps
from edge_aver.spec import Preprocessing

__all__ = ["CORPUS", "CompositeMaker", "deal_faces", "prepare_composite", "usable_faces"]

CORPUS = "composite"
"""Also the name of what makes its tensors: no front end takes part."""

_SEED = 2013
_FACES = ("neutral", "neutral", "happy", "sad", "angry", "fear", "disgust", "surprise")
"""FER2013's emotion for each label; it knows no calm."""

_SWAY = Sway()


@dataclass(frozen=True, kw_only=True)
class CompositeMaker:
    """How one composite clip is made.

    Attributes:
        clip: its `path` is the recording; its id tells when the face is where.
        face: the JPEG file.
        face_name: where that was.
        sway: how far the face moves.
    """

    clip: SourceClip
    face: bytes
    face_name: str
    sway: Sway = _SWAY

    def source_sha256(self) -> str:
        """Over the recording, the face and how it moves; OSError where the recording cannot be read."""
        parts = {
            "recording": sha256_bytes(self.clip.path.read_bytes()),
            "face": sha256_bytes(self.face),
            "sway": asdict(self.sway),
            "seed": [_SEED, self.clip.id],
        }
        return sha256_bytes(json.dumps(parts, sort_keys=True).encode())

    def make(self, constants: Preprocessing) -> ClipTensors:
        """The recording's own audio features, and its face for as long as the recording lasts.

        Raises:
            ClipError: the recording cannot be decoded.
        """
        speech, end_s = decode_speech(self.clip.path, constants)
        times_s = constants.frame_times_s()
        shown = np.asarray(times_s) <= end_s
        seed = int(sha256_bytes(f"{_SEED} {self.clip.id}".encode())[:16], 16)
        picture = decode_face(self.face, where=self.face_name)
        faces = swaying(picture, times_s, constants.face_size_px, self.sway, np.random.default_rng(seed))
        faces[~shown] = 0
        audio = segments(speech_steps(speech, constants), constants)
        return ClipTensors(faces=faces, audio=audio, face_found=shown, stages_s={})


def prepare_composite(
    speech: Path,
    faces: Path,
    *,
    folder: Path,
    draws: int = 1,
    constants: Preprocessing | None = None,
    workers: int | None = None,
    executor: Executor | RemoteExecutor | None = None,
) -> PrepareSummary:
    """Make the prepared store of composite clips, or continue it.

    The same recordings, faces and draws give the same tensors.

    Args:
        speech: folder of RAVDESS's speech recordings, `Actor_XX/03-01-*.flac` or `.wav`.
        faces: FER2013, a zip or a folder.
        folder: of the store.
        draws: faces for each recording, each of which makes a clip; the actors stay the same.
        constants: of the clip contract; None for those of this version.
        workers: processes; None for one a core.
        executor: does the work instead of processes of this machine.

    Raises:
        CorpusError: no recordings, no usable faces, or too few of them.
    """
    recordings, refusals = find_recordings(speech)
    with open_faces(faces) as archive:
        makers = deal_faces(recordings, archive, draws)
    return make_store(
        makers,
        refusals,
        folder=folder,
        corpus=CORPUS,
        made_by=CORPUS,
        constants=constants,
        workers=workers,
        executor=executor,
    )


def deal_faces(recordings: Sequence[SourceClip], archive: FaceArchive, draws: int) -> tuple[CompositeMaker, ...]:
    """Deal the usable faces out to all 24 actors, and those of each actor to his recordings.

    Within an actor, a face is taken again only when all of its emotion have been taken, and never for one recording.
    A first draw is the same whatever the number of draws.

    Raises:
        CorpusError: an actor has fewer faces of an emotion than there are draws; how many are possible is told.
        LeakError: a face would belong to two actors.
    """
    shares = _shares(usable_faces(archive))
    _check_enough(recordings, shares, draws, archive.path)
    uses: Counter[Face] = Counter()
    owners: dict[tuple[int, int], int] = {}
    had: defaultdict[str, set[Face]] = defaultdict(set)
    makers = []
    for draw in range(1, draws + 1):
        for clip in recordings:
            share = shares[_FACES[clip.label], clip.actor]
            face = min((face for face in share if face not in had[clip.id]), key=uses.__getitem__)
            uses[face] += 1
            had[clip.id].add(face)
            if (owner := owners.setdefault(face.checksum, clip.actor)) != clip.actor:
                raise LeakError(f"{archive.path}: {face.name} would belong to actors {owner} and {clip.actor}")
            makers.append(_maker(clip, archive, face, draw))
    _tell_reuse(uses)
    return tuple(makers)


def usable_faces(archive: FaceArchive) -> tuple[Face, ...]:
    """The faces of FER2013's test part, each once, sorted by name.

    Left out are copies of a face, faces that stand there under two emotions or in the train part too (which backbones
    learn from), and pictures of one colour; one remark tells how many.

    Raises:
        CorpusError: no test part, or a damaged picture in it.
    """
    copies: defaultdict[tuple[int, int], list[Face]] = defaultdict(list)
    for face in archive.faces:
        copies[face.checksum].append(face)
    test = [face for face in archive.faces if face.split == "test"]
    if not test:
        raise CorpusError(
            f"{archive.path}: holds FER2013's train part only, which backbones learn from; composite clips take test/"
        )
    single = [face for face in test if _is_usable(face, copies[face.checksum])]
    usable = tuple(face for face in single if np.ptp(archive.decode(face)))
    if len(usable) < len(test):
        say(
            f"{archive.path}: {len(test) - len(usable)} of {len(test)} test faces are left out: they stand in the "
            "train part too, twice in the test part, or show nothing"
        )
    return usable


def _is_usable(face: Face, copies: Sequence[Face]) -> bool:
    """Whether a face is the first of its copies, and all of those agree on what it is."""
    return face is copies[0] and {(copy.split, copy.emotion) for copy in copies} == {("test", face.emotion)}


def _shares(faces: Sequence[Face]) -> Mapping[tuple[str, int], Sequence[Face]]:
    """Each actor's own faces by emotion, in random order; all faces are dealt out, whoever's recordings are there."""
    shares: dict[tuple[str, int], Sequence[Face]] = {}
    for emotion in sorted(set(_FACES)):
        members = [face for face in faces if face.emotion == emotion]
        random.Random(f"{_SEED} {emotion}").shuffle(members)
        shares |= {(emotion, actor): members[actor - 1 :: ACTORS] for actor in range(1, ACTORS + 1)}
    return shares


def _check_enough(
    recordings: Sequence[SourceClip], shares: Mapping[tuple[str, int], Sequence[Face]], draws: int, where: Path
) -> None:
    needed = {(_FACES[clip.label], clip.actor) for clip in recordings}
    emotion, actor = min(sorted(needed), key=lambda key: len(shares[key]))
    fewest = len(shares[emotion, actor])
    if not fewest:
        total = sum(len(share) for (name, _), share in shares.items() if name == emotion)
        raise CorpusError(
            f"{where}: {total} usable test faces of {emotion!r}; each of {ACTORS} actors needs one of his own"
        )
    if draws > fewest:
        raise CorpusError(
            f"{where}: {draws} draws asked for, at most {fewest} are possible: actor {actor} has {fewest} faces of "
            f"{emotion!r}, and a recording takes each of them once"
        )


def _maker(clip: SourceClip, archive: FaceArchive, face: Face, draw: int) -> CompositeMaker:
    identifier = clip.id if draw == 1 else f"{clip.id}.{draw}"
    named = SourceClip(id=identifier, label=clip.label, actor=clip.actor, path=clip.path)
    return CompositeMaker(clip=named, face=archive.read(face), face_name=f"{archive.path}: {face.name}")


def _tell_reuse(uses: Mapping[Face, int]) -> None:
    for emotion, counts in _by_emotion(uses):
        if max(counts) > 1:
            say(
                f"{emotion}: {len(counts)} faces for {sum(counts)} clips; one serves up to {max(counts)} of its actor's"
            )


def _by_emotion(uses: Mapping[Face, int]) -> Iterator[tuple[str, list[int]]]:
    for emotion in dict.fromkeys(_FACES):
        if counts := [count for face, count in uses.items() if face.emotion == emotion]:
            yield emotion, counts
