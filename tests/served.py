"""The page's server in a thread of a test."""

import threading
from contextlib import contextmanager

from edge_aver.viewer.server import Viewer, ViewerServer

LARGEST_BYTES = 3_000_000


@contextmanager
def serving(model, folder, **limits):
    viewer = Viewer(model, folder, **{"largest_bytes": LARGEST_BYTES, **limits})
    with ViewerServer(viewer, host="127.0.0.1", port=0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
