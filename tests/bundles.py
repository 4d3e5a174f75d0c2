"""Small bundles for tests of the container, and zips that mean harm."""

import io
import stat
import zipfile
from pathlib import Path

from edge_aver.bundle import write_bundle

MEMBERS = {
    "artifacts/aver-sa.onnx": b"weights" * 9,
    "artifacts/aver-sa.onnx.json": b"{}",
    "golden/clip.mp4": b"",
    "spec.json": b"{}\n",
}
ARTIFACTS = ("aver-sa.onnx",)


def small_bundle(folder: Path, *, key: Path | None = None, name: str = "sa.aver") -> Path:
    path = folder / name
    write_bundle(path, MEMBERS, ARTIFACTS, key=key)
    return path


def foreign_zip(path: Path, *members, compression=zipfile.ZIP_STORED) -> Path:
    """A zip by Python's own library: each member (name, bytes) or (name, bytes, unix mode)."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", compression) as archive:
        for name, data, *mode in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = compression
            info.create_system = 3
            info.create_version = info.extract_version = 10
            info.external_attr = (mode[0] if mode else stat.S_IFREG | 0o644) << 16
            archive.writestr(info, data)
    path.write_bytes(memory.getvalue())
    return path
