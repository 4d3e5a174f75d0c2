"""What ships: artifacts with their sidecars, and the face detector beside them."""

from edge_aver.bundle.artifact import (
    Artifact,
    FileEntry,
    choose_artifacts,
    find_artifacts,
    open_artifact,
    read_artifact,
    remove_artifact,
    sidecar_path,
    write_artifact,
)
from edge_aver.bundle.detector import DETECTOR_FOLDER, Detector, open_detector, write_detector

__all__ = [
    "DETECTOR_FOLDER",
    "Artifact",
    "Detector",
    "FileEntry",
    "choose_artifacts",
    "find_artifacts",
    "open_artifact",
    "open_detector",
    "read_artifact",
    "remove_artifact",
    "sidecar_path",
    "write_artifact",
    "write_detector",
]
