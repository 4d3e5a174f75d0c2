"""Files copied to a device by ssh: by their hash, resumed where a connection dropped, in place only when whole."""

import shlex
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from edge_aver.benchmarks.remote_shell import DroppedError, Host, RemoteError, run_script
from edge_aver.bundle import Artifact, sidecar_path
from edge_aver.console import progress, say
from edge_aver.errors import MeasurementError
from edge_aver.files import sha256_file

__all__ = ["copy_artifact", "copy_files"]

_ATTEMPTS = 3
_BLOBS = "blobs"
_INCOMPLETE, _DAMAGED = 75, 76

_STATE = """cd {root} 2>/dev/null || exit 0
for name in {names}; do
  if [ -f {blobs}/$name ]; then echo $name whole
  elif [ -f {blobs}/$name.part ]; then echo $name $(wc -c < {blobs}/$name.part); fi
done"""

_SEND = """mkdir -p {root}/{blobs} && cd {root}/{blobs} && touch {name}.part || exit 1
head -c {start} {name}.part > {name}.$$ && mv {name}.$$ {name}.part && cat >> {name}.part || exit 1
[ $(wc -c < {name}.part) -ge {size} ] || exit 75
[ "$(sha256sum < {name}.part | cut -c 1-64)" = {name} ] || {{ rm -f {name}.part; exit 76; }}
mv {name}.part {name}"""
"""What is there is copied first: a writer that a dropped connection left behind goes on with the old file alone."""

_ASSEMBLE = """cd {root} || exit 1
[ -d {run} ] && exit 0
rm -rf {new} && mkdir -p {folders} || exit 1
link() {{ ln "$1" "$2" 2>/dev/null || cp "$1" "$2"; }}
{links}
ln -s ../../prepared {new}/prepared && mv {new} {run}"""


def copy_artifact(host: Host, artifact: Artifact, *, root: str) -> str:
    """Copy an artifact with its sidecar into a workspace of its own on the device; one that is there already stays.

    Files lie in `<root>/blobs` under their SHA-256, each in place only once it is whole; the workspace is put together
    from them and renamed into place, so the device never shows half an artifact. `<root>/prepared`, if somebody puts
    prepared stores there, serves every such workspace.

    Args:
        host: the device.
        artifact: opened, so that its files are those of its sidecar.
        root: folder on the device, from the user's home.

    Returns:
        The workspace, as a path on the device.

    Raises:
        MeasurementError: as `run_script`; the message of a dropped connection says that a further run resumes.
    """
    sidecar = sidecar_path(artifact.path)
    names = {sidecar.name: sidecar}
    for name in artifact.files:
        inside = artifact.path.is_dir()
        names[f"{artifact.path.name}/{name}" if inside else name] = artifact.path / name if inside else artifact.path
    digests = {name: sha256_file(path) for name, path in names.items()}
    copy_files(host, {digests[name]: path for name, path in names.items()}, root=root)
    run = f"{artifact.path.name}-{digests[sidecar.name][:8]}"
    _assemble(host, digests, root=root, run=run)
    return f"{root}/runs/{run}"


def copy_files(host: Host, files: Mapping[str, Path], *, root: str) -> int:
    """Bring files into `<root>/blobs` on the device under their SHA-256; gives the bytes that were sent.

    A file that is there is not sent; of one that is there in part the rest is, also by this very call where the
    connection dropped, if something came through meanwhile.

    Raises:
        MeasurementError: as `run_script`, or a file arrived damaged.
    """
    sent = 0
    with progress(f"Copying to {host.destination}", len(files)) as advance:
        for digest, path in files.items():
            sent += _copy_file(host, digest, path, root=root)
            advance(note=path.name)
    return sent


def _copy_file(host: Host, digest: str, path: Path, *, root: str) -> int:
    """Send what the device does not have of a file; gives the bytes that were sent."""
    size, first = path.stat().st_size, None
    for attempt in range(1, _ATTEMPTS + 1):
        there = _bytes_there(host, digest, size, root=root)
        first = there if first is None else first
        if there == size:
            break
        try:
            _send(host, digest, path, there, root=root)
            break
        except DroppedError:
            if attempt == _ATTEMPTS:
                raise
            say(f"{host.destination}: the connection dropped within {path.name}; going on from where it stopped")
    return size - (first or 0)


def _bytes_there(host: Host, digest: str, size: int, *, root: str) -> int:
    """How much of a file the device has; of a whole one all, and of an unfinished one never quite all."""
    script = _STATE.format(root=shlex.quote(root), blobs=_BLOBS, names=digest)
    answer = run_script(host, script).split()
    if len(answer) != 2:
        return 0
    # A part of full length that is not in place yet was not checked: its last byte is sent once more, and it fails.
    return size if answer[1] == "whole" else min(int(answer[1]), max(0, size - 1))


def _send(host: Host, digest: str, path: Path, start: int, *, root: str) -> None:
    script = _SEND.format(root=shlex.quote(root), blobs=_BLOBS, name=digest, start=start, size=path.stat().st_size)
    with path.open("rb", buffering=0) as source:
        source.seek(start)
        try:
            run_script(host, script, source=source)
        except RemoteError as error:
            if error.status == _DAMAGED:
                raise MeasurementError(
                    f"{host.destination}: {path.name} arrived damaged and was removed there; run the command again"
                ) from error
            if error.status == _INCOMPLETE:
                raise DroppedError(f"{host.destination}: {path.name} arrived in part; run the command again") from error
            raise


def _assemble(host: Host, digests: Mapping[str, str], *, root: str, run: str) -> None:
    new = f"runs/.{run}.new"
    place = f"{new}/artifacts"
    folders = {str(PurePosixPath(place) / PurePosixPath(name).parent) for name in digests}
    links = [
        f"link {_BLOBS}/{digest} {shlex.quote(f'{place}/{name}')} || exit 1" for name, digest in sorted(digests.items())
    ]
    script = _ASSEMBLE.format(
        root=shlex.quote(root),
        run=shlex.quote(f"runs/{run}"),
        new=shlex.quote(new),
        folders=shlex.join(sorted(folders)),
        links="\n".join(links),
    )
    run_script(host, script)
