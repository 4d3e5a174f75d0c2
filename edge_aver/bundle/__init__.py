"""What ships: artifacts with their sidecars."""

from edge_aver.bundle.artifact import (
    Artifact,
    FileEntry,
    find_artifacts,
    open_artifact,
    remove_artifact,
    sidecar_path,
    write_artifact,
)

__all__ = [
    "Artifact",
    "FileEntry",
    "find_artifacts",
    "open_artifact",
    "remove_artifact",
    "sidecar_path",
    "write_artifact",
]
