"""What ships: artifacts with their sidecars, and the face detector beside them."""

from edge_aver.bundle.artifact import (
    KIT_SUFFIX,
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
from edge_aver.bundle.kit import Kit, is_kit, open_kit

__all__ = [
    "DETECTOR_FOLDER",
    "KIT_SUFFIX",
    "Artifact",
    "Detector",
    "FileEntry",
    "Kit",
    "choose_artifacts",
    "find_artifacts",
    "is_kit",
    "open_artifact",
    "open_detector",
    "open_kit",
    "read_artifact",
    "remove_artifact",
    "sidecar_path",
    "write_artifact",
    "write_detector",
]
