"""The server behind the page: four files, one network, and clips that are looked at one after another."""

import json
import socket
import socketserver
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar

from edge_aver.errors import EdgeAverError, ViewerError
from edge_aver.runtime.model import Model
from edge_aver.viewer.guard import HEADERS, UPLOAD_TYPE, refusal
from edge_aver.viewer.look import HOP_S, LONGEST_S, check_upload, look, mean_probabilities, window_starts_s

__all__ = ["Viewer", "ViewerServer"]

LARGEST_BYTES = 256 << 20
"""Of one upload."""
MOST_CLIPS = 4
"""One that is looked at, and three that wait for it."""

_PAGES = {
    "/": ("viewer/page.html", "text/html; charset=utf-8"),
    "/report.css": ("benchmarks/report.css", "text/css; charset=utf-8"),
    "/viewer.css": ("viewer/viewer.css", "text/css; charset=utf-8"),
    "/chart.js": ("viewer/chart.js", "text/javascript; charset=utf-8"),
    "/viewer.js": ("viewer/viewer.js", "text/javascript; charset=utf-8"),
}
_PIECE_BYTES = 1 << 20
_LINGER_S = 2.0
_PATIENCE_S = 0.5


class Viewer:
    """One network, and whose turn it is.

    Args:
        model: nothing else may close it while clips are looked at.
        folder: for uploads, each of which is removed when it was looked at.
        largest_bytes: of one upload.
        most_clips: at once, whether looked at or waiting; more are refused.
    """

    def __init__(
        self, model: Model, folder: Path, *, largest_bytes: int = LARGEST_BYTES, most_clips: int = MOST_CLIPS
    ) -> None:
        self.model, self.folder, self.largest_bytes = model, folder, largest_bytes
        self._places = threading.BoundedSemaphore(most_clips)
        self._turn = threading.Lock()
        self._closing = threading.Event()

    def network(self) -> dict[str, Any]:
        """What the page tells of the network, and what it must know before a clip is sent."""
        artifact = self.model.artifact
        return {
            "artifact": artifact.path.name,
            "architecture": artifact.spec.architecture,
            "corpus": artifact.spec.corpus,
            "fold": artifact.spec.fold,
            "precision": artifact.precision,
            "target": artifact.target,
            "runtime": artifact.runtime,
            "executed_precisions": dict(self.model.executed_precisions),
            "labels": list(artifact.spec.labels),
            "note": artifact.spec.note,
            "largest_bytes": self.largest_bytes,
            "longest_s": LONGEST_S,
        }

    @contextmanager
    def place(self) -> Iterator[bool]:
        """A place among those who wait; False where there is none."""
        taken = self._places.acquire(blocking=False)
        try:
            yield taken
        finally:
            if taken:
                self._places.release()

    def events(self, path: Path, duration_s: float) -> Generator[dict[str, Any], None, None]:
        """What is found in a clip, as it is found; an error is the last event, as `end` is otherwise."""
        window_s = self.model.artifact.spec.preprocessing.window_s
        starts_s = window_starts_s(duration_s, window_s)
        while not self._turn.acquire(timeout=_PATIENCE_S):
            yield {"event": "waiting"}
            if self._closing.is_set():
                return
        try:
            yield {
                "event": "clip",
                "duration_s": duration_s,
                "window_s": window_s,
                "hop_s": HOP_S,
                "windows": len(starts_s),
            }
            recognised = []
            for seen in look(self.model, path, starts_s):
                yield {"event": "window", **seen.table()}
                if self._closing.is_set():
                    raise ViewerError("the server is stopping")
                if seen.probabilities:
                    recognised.append(seen.probabilities)
            means = mean_probabilities(recognised)
            yield {"event": "end", "label": max(means, key=means.__getitem__), "probabilities": means}
        except EdgeAverError as error:
            yield {"event": "error", "message": _told(error, path)}
        finally:
            self._turn.release()

    def close(self) -> None:
        """Let the window that is being looked at end, and look at no other."""
        self._closing.set()
        self._turn.acquire()


class ViewerServer(ThreadingHTTPServer):
    """Listens until it is closed.

    Args:
        viewer: what it serves.
        host: name or address to listen on.
        port: 0 for a free one.

    Raises:
        ViewerError: there is no such address here, or the port is taken.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, viewer: Viewer, *, host: str, port: int) -> None:
        self.viewer, self.host = viewer, host
        try:
            self.address_family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            super().__init__(address[:2], _Handler)  # type: ignore[arg-type]
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ViewerError(f"{host}:{port}: cannot listen there: {reason}; --port 0 takes a free port") from error

    def server_bind(self) -> None:
        """Bind without asking a name server who we are, as the base class does."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.host, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Show a failure of ours; a page that was closed, or whose user pressed stop, is none."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    """One connection, which carries one request."""

    server: ViewerServer
    timeout: ClassVar[float] = 30.0
    """Seconds in which the other side must take or send something."""
    server_version, sys_version = "edge-aver", ""

    def do_GET(self) -> None:
        if why := refusal(self.headers, host=self.server.host, uploading=False):
            self._answer_error(HTTPStatus.FORBIDDEN, why)
        elif self.path == "/network":
            self._answer(HTTPStatus.OK, "application/json", json.dumps(self.server.viewer.network()).encode())
        elif page := _PAGES.get(self.path):
            name, kind = page
            self._answer(HTTPStatus.OK, kind, files("edge_aver").joinpath(name).read_bytes())
        else:
            self._answer_error(HTTPStatus.NOT_FOUND, "no such page")

    def do_POST(self) -> None:
        headers, limit = self.headers, self.server.viewer.largest_bytes
        size = headers.get("Content-Length", "")
        if why := refusal(headers, host=self.server.host, uploading=True):
            return self._refuse(HTTPStatus.FORBIDDEN, why)
        if self.path != "/clip":
            return self._refuse(HTTPStatus.NOT_FOUND, "clips go to /clip")
        if headers.get("Content-Type") != UPLOAD_TYPE:
            return self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"a clip is sent as {UPLOAD_TYPE}")
        if not (size.isascii() and size.isdigit()) or "Transfer-Encoding" in headers:
            return self._refuse(HTTPStatus.LENGTH_REQUIRED, "say with Content-Length how many bytes the clip has")
        if int(size) > limit:
            return self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the clip has {int(size) / 1e6:.0f} MB; this page takes up to {limit / 1e6:.0f} MB",
            )
        with self.server.viewer.place() as taken:
            if not taken:
                return self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "other clips are being looked at: try again soon")
            with tempfile.NamedTemporaryFile(prefix="clip-", dir=self.server.viewer.folder) as file:
                self._receive(file, int(size))
                self._look(Path(file.name))

    def _receive(self, file: Any, size: int) -> None:
        while size:
            piece = self.rfile.read(min(size, _PIECE_BYTES))
            if not piece:
                raise ConnectionAbortedError("the upload ended early")
            file.write(piece)
            size -= len(piece)
        file.flush()

    def _look(self, path: Path) -> None:
        try:
            duration_s = check_upload(path)
        except EdgeAverError as error:
            return self._answer_error(HTTPStatus.UNPROCESSABLE_ENTITY, _told(error, path))
        self._begin(HTTPStatus.OK, "application/x-ndjson", None)
        events = self.server.viewer.events(path, duration_s)
        try:
            for event in events:
                self.wfile.write(json.dumps(event, allow_nan=False).encode() + b"\n")
        except (ConnectionError, TimeoutError):
            raise
        except Exception:
            self.wfile.write(b'{"event": "error", "message": "the server failed: its terminal says where"}\n')
            raise
        finally:
            events.close()

    def _begin(self, status: HTTPStatus, kind: str, length: int | None) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": kind, "Connection": "close"}.items():
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self._begin(status, kind, len(body))
        self.wfile.write(body)

    def _answer_error(self, status: HTTPStatus, message: str) -> None:
        self._answer(status, "application/json", json.dumps({"message": message}).encode())

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        """Answer without the body, but read some of it: else the answer may be lost with the connection."""
        self._answer_error(status, message)
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(_LINGER_S)
        end_s = time.monotonic() + _LINGER_S
        while time.monotonic() < end_s and self.rfile.read1(_PIECE_BYTES):
            pass

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of single requests."""


def _told(error: Exception, path: Path) -> str:
    """The message without the name that the clip had here."""
    return str(error).replace(f"{path}: ", "", 1).replace(str(path), "the clip")
