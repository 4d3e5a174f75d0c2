"""Serving the page: from an artifact to a server that runs until it is interrupted."""

import ipaddress
import tempfile
import webbrowser
from pathlib import Path

from edge_aver.console import say
from edge_aver.corpora.synthetic import write_clip
from edge_aver.errors import ArtifactError
from edge_aver.runtime import load, newest
from edge_aver.runtime.memory import share_one_heap
from edge_aver.runtime.model import Model
from edge_aver.viewer.server import Viewer, ViewerServer
from edge_aver.workspace import Workspace

__all__ = ["choose_network", "serve"]


def choose_network(workspace: Workspace) -> Path:
    """The newest artifact of a workspace that runs here.

    Raises:
        ArtifactError: there is none; how to get one is told.
        MissingLibraryError: there are some, but none whose runtime is installed.
    """
    if not any(workspace.artifacts.glob("aver-*")):
        raise ArtifactError(
            f"nothing to serve: no artifact in {workspace.artifacts}; run edge-aver demo first, or name a file with "
            "--artifact or --bundle"
        )
    return newest(workspace.artifacts)


def serve(network: Path, *, host: str, port: int, key: Path | None = None, open_browser: bool = False) -> None:
    """Serve the page of a network until the process is interrupted.

    Args:
        network: an artifact or a bundle.
        host: name or address to listen on; anything but the loopback is warned of.
        port: 0 for a free one.
        key: of a bundle: file of the public key that must have signed it.
        open_browser: show the page in the system's browser.

    Raises:
        ArtifactError, MissingLibraryError: the network cannot be loaded, or is not signed by the key.
        ViewerError: nothing can listen there.
    """
    share_one_heap()
    with tempfile.TemporaryDirectory(prefix="edge-aver-") as name, load(network, key=key) as model:
        folder = Path(name)
        viewer = Viewer(model, folder)
        with ViewerServer(viewer, host=host, port=port) as server:
            try:
                _warm_up(model, folder)
                _announce(server, open_browser=open_browser)
                server.serve_forever(poll_interval=0.2)
            except KeyboardInterrupt:
                say("Stopped")
            finally:
                viewer.close()


def _warm_up(model: Model, folder: Path) -> None:
    """Look at a drawn face once: what runtimes do on their first run is no part of a clip's time."""
    clip = folder / "warm-up.mp4"
    write_clip(clip, actor=2, emotion=2, seed=7)
    model.predict(clip)
    clip.unlink()


def _announce(server: ViewerServer, *, open_browser: bool) -> None:
    address = str(server.server_address[0])
    if not ipaddress.ip_address(address.partition("%")[0]).is_loopback:
        say(
            f"warning: {address} is not the loopback: whoever reaches this machine can send it clips, unencrypted and "
            "without a password"
        )
    artifact = server.viewer.model.artifact
    say(f"Serving {artifact.path.name} on {artifact.target}; Ctrl-C ends it")
    if artifact.spec.note:
        say(artifact.spec.note)
    print(server.url, flush=True)
    if open_browser and not webbrowser.open(server.url):
        say("no browser could be opened: open the address above")
