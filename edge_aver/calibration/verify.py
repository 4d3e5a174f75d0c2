"""Check again, after the fact, that an artifact is what it says and was calibrated on training actors alone."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_aver.bundle import Artifact, open_artifact
from edge_aver.calibration.draw import check_manifest
from edge_aver.calibration.folds import Fold, check_network_fold, load_fold
from edge_aver.errors import ArtifactError, LeakError
from edge_aver.spec import SPEC_KEY, CalibrationManifest, ModelSpec
from edge_aver.targets import RUNTIMES, runtime_module

__all__ = ["Verification", "verify_artifact"]

_RAVDESS_ID = re.compile(r"(?:\d{2}-){6}(\d{2})")
"""An id of seven numbers ends in the actor's; of other corpora the manifest tells the actors only all together."""


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What was checked of an artifact, in words, in order."""

    artifact: Artifact
    checks: tuple[str, ...]


def verify_artifact(
    path: Path, *, folds: str | None = None, prepared: Callable[[str], Path] | None = None
) -> Verification:
    """Check an artifact's files, the spec inside them, and its calibration clips against a fold.

    Args:
        path: the artifact.
        folds: shipped name or TOML file of the folds to check against; None takes those declared for its corpus.
        prepared: from a corpus's name to its prepared store, which holds the folds of a corpus of one's own.

    Raises:
        ArtifactError: a file changed, or the spec inside differs from the sidecar's.
        LeakError: a calibration clip is not of a training actor of the fold, or is listed twice; or the actors of the
            fold are not those that the spec names.
        DeclarationError: no such fold.
        MissingLibraryError: the runtime that reads the file is not installed.
    """
    artifact = open_artifact(path)
    corpus = artifact.spec.corpus
    fold = load_fold(corpus, artifact.spec.fold, folds=folds, store=prepared(corpus) if prepared else None)
    inside = _check_inside(artifact)
    check_network_fold(artifact.spec, fold)
    checks = (
        f"{len(artifact.files)} files have the hashes of the sidecar",
        inside,
        f"its train, validation and test actors are those of {fold.corpus}, fold {fold.index}",
        _check_calibration(artifact.spec.calibration, fold),
    )
    return Verification(artifact=artifact, checks=checks)


def _check_inside(artifact: Artifact) -> str:
    if artifact.runtime in RUNTIMES and not RUNTIMES[artifact.runtime].holds_metadata:
        return "the spec stands in the sidecar alone: neither an engine nor a kit's graphs hold one"
    text = runtime_module(artifact.runtime).read_metadata(artifact.path, SPEC_KEY)
    if text is None:
        raise ArtifactError(f"{artifact.path}: holds no spec; export it again")
    inside = ModelSpec.from_json(text, where=str(artifact.path))
    if inside != artifact.spec:
        wrong = [name for name, value in vars(inside).items() if value != getattr(artifact.spec, name)]
        raise ArtifactError(f"{artifact.path}: {', '.join(wrong)} in the file differ from its sidecar; export it again")
    return "the spec inside the file is the sidecar's"


def _check_calibration(manifest: CalibrationManifest | None, fold: Fold) -> str:
    if manifest is None:
        return "nothing was calibrated"
    check_manifest(manifest, fold)
    identifiers = [identifier for identifier, _ in manifest.clips]
    if twice := [identifier for identifier, count in Counter(identifiers).items() if count > 1]:
        raise LeakError(f"calibration clip {twice[0]} is listed twice")
    for identifier in identifiers:
        named = _RAVDESS_ID.fullmatch(identifier)
        if named and int(named[1]) not in manifest.actors:
            raise LeakError(f"calibration clip {identifier} is of actor {int(named[1])}, not in the manifest")
    return f"{len(identifiers)} calibration clips, each once, of {len(manifest.actors)} training actors of the fold"
