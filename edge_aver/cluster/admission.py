"""Which workers may take part: those whose versions give the same bytes, and who see the same files."""

import importlib.metadata
from collections.abc import Mapping, Sequence
from typing import Any

from edge_aver import __version__
from edge_aver.cluster.task import missing_files
from edge_aver.errors import ClusterError

__all__ = ["check_files", "check_versions", "own_versions", "versions_there"]

_LIBRARIES = ("av", "numpy", "onnxruntime", "openvino")
"""What tensors and logits depend on."""

_VERSION_THERE = lambda: __import__("edge_aver").__version__  # noqa: E731  travels as code, not as a name
_LIBRARIES_THERE = lambda names: {  # noqa: E731
    item.metadata["Name"].lower(): item.version
    for item in __import__("importlib.metadata").metadata.distributions()
    if (item.metadata["Name"] or "").lower() in names
}


def own_versions() -> dict[str, str]:
    """Of edge-aver and what its numbers depend on, by name; what is not installed is left out."""
    found = {"edge-aver": __version__}
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def versions_there(client: Any, workers: Sequence[str]) -> dict[str, dict[str, str]]:
    """The same of each worker; `edge-aver` is `none` where it cannot be imported."""
    ours = client.run(_VERSION_THERE, workers=list(workers), on_error="return")
    theirs = client.run(_LIBRARIES_THERE, set(_LIBRARIES), workers=list(workers), on_error="return")
    return {
        worker: {
            **(theirs[worker] if isinstance(theirs.get(worker), dict) else {}),
            "edge-aver": version if isinstance(version, str) else "none",
        }
        for worker, version in ours.items()
    }


def check_versions(there: Mapping[str, Mapping[str, str]]) -> None:
    """Refuse workers that differ from this machine.

    Raises:
        ClusterError: the first that does, with what it has and what is needed.
    """
    wanted = own_versions()
    for worker, versions in sorted(there.items()):
        for name, version in wanted.items():
            found = versions.get(name, "none")
            if found != version:
                raise ClusterError(
                    f"worker {worker}: has {name} {found}, this machine {version}; results would not be the same: "
                    "install the same there and start the worker again"
                )


def check_files(client: Any, workers: Sequence[str], paths: Sequence[str]) -> None:
    """Refuse workers that do not see files.

    Raises:
        ClusterError: the first that does not, with one of the files.
    """
    if not paths or not workers:
        return
    for worker, missing in sorted(client.run(missing_files, list(paths), workers=list(workers)).items()):
        if missing:
            raise ClusterError(
                f"worker {worker}: cannot read {missing[0]} ({len(missing)} of {len(paths)} files looked for); "
                "workers need the same folders at the same paths: use a shared file system"
            )
