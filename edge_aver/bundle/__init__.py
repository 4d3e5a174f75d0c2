"""What ships: artifacts with their sidecars."""

from edge_aver.bundle.artifact import (
    Artifact,
    FileEntry,
    choose_artifacts,
    find_artifacts,
    open_artifact,
    remove_artifact,
    sidecar_path,
    write_artifact,
)

__all__ = [
    "Artifact",
    "FileEntry",
    "choose_artifacts",
    "find_artifacts",
    "open_artifact",
    "remove_artifact",
    "sidecar_path",
    "write_artifact",
]
