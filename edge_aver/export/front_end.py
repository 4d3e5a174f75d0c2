"""The front ends of a workstation: the one that devices use, and the reference it is compared with."""

from pathlib import Path

from edge_aver.export.detector import ensure_detector
from edge_aver.media.clip import FrontEndPlan
from edge_aver.media.reference import ReferencePlan
from edge_aver.runtime import fast_plan

__all__ = ["front_end_plan"]


def front_end_plan(artifacts: Path, *, reference: bool = False) -> FrontEndPlan:
    """What prepares clips: the fast front end, its detector exported first where it is missing, or the reference.

    Args:
        artifacts: folder of the workspace's artifacts, where the detector lies.
        reference: take facenet-pytorch and librosa themselves.

    Raises:
        MissingLibraryError: the detector's weights, or a runtime for it, are not installed.
    """
    if reference:
        return ReferencePlan()
    ensure_detector(artifacts)
    return fast_plan(artifacts)
