"""What ships: artifacts with their sidecars, the face detector beside them, and the bundle that holds it all."""

from edge_aver.bundle.artifact import (
    KIT_SUFFIX,
    Artifact,
    FileEntry,
    choose_artifacts,
    find_artifacts,
    open_artifact,
    part_path,
    read_artifact,
    remove_artifact,
    sidecar_path,
    write_artifact,
)
from edge_aver.bundle.detector import DETECTOR_FOLDER, Detector, open_detector, write_detector
from edge_aver.bundle.kit import Kit, is_kit, open_kit
from edge_aver.bundle.pack import ARTIFACTS, BUNDLE_SUFFIX, Bundle, Manifest, is_bundle, open_bundle, write_bundle
from edge_aver.bundle.unpack import Unpacked, unpack

__all__ = [
    "ARTIFACTS",
    "BUNDLE_SUFFIX",
    "DETECTOR_FOLDER",
    "KIT_SUFFIX",
    "Artifact",
    "Bundle",
    "Detector",
    "FileEntry",
    "Kit",
    "Manifest",
    "Unpacked",
    "choose_artifacts",
    "find_artifacts",
    "is_bundle",
    "is_kit",
    "open_artifact",
    "open_bundle",
    "open_detector",
    "open_kit",
    "part_path",
    "read_artifact",
    "remove_artifact",
    "sidecar_path",
    "unpack",
    "write_artifact",
    "write_bundle",
    "write_detector",
]
