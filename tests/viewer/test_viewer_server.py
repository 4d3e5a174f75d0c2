"""The page's server: what it answers, to whom, and that no upload ends it or stays behind."""

import base64
import http.client
import io
import json
import socket
import threading
import time

import av
import pytest
from served import LARGEST_BYTES, serving

from edge_aver.viewer.look import LONGEST_S, window_starts_s

BINARY = "application/octet-stream"


def ask(server, method, path, body=None, **headers):
    """Status, headers and body of one request; by default as the page sends it."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=300)
    usual = {"Origin": f"http://127.0.0.1:{server.server_port}", "Content-Type": BINARY}
    values = {name.replace("_", "-"): value for name, value in (usual | headers).items() if value is not None}
    try:
        connection.request(method, path, body=body, headers=values)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def send(server, body):
    """Status and events of an upload."""
    status, _, content = ask(server, "POST", "/clip", body)
    return status, [json.loads(line) for line in content.splitlines()]


def wait_until(condition, seconds=60):
    end_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.02)


def left_over(server):
    return list(server.viewer.folder.iterdir())


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/report.css", "text/css; charset=utf-8"),
        ("/viewer.css", "text/css; charset=utf-8"),
        ("/viewer.js", "text/javascript; charset=utf-8"),
        ("/chart.js", "text/javascript; charset=utf-8"),
        ("/network", "application/json"),
    ],
)
def test_its_parts_have_types_and_may_load_nothing_from_elsewhere(server, path, kind):
    status, headers, body = ask(server, "GET", path, Origin=None)

    assert (status, headers["Content-Type"]) == (200, kind)
    assert body.strip()
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/viewer/server.py", "/../errors.py", "/%2e%2e/errors.py", "//etc/passwd", "/clip"])
def test_nothing_else_is_there(server, path):
    assert ask(server, "GET", path)[0] == 404


def test_it_tells_which_network_is_loaded(server, model):
    told = json.loads(ask(server, "GET", "/network")[2])

    assert told["artifact"] == model.artifact.path.name
    assert (told["precision"], told["target"], told["runtime"]) == ("fp32", "onnxruntime-cpu", "onnxruntime")
    assert told["executed_precisions"] == dict(model.executed_precisions)
    assert told["note"].startswith("Synthetic actors")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example", "Origin": "http://evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Host": ""},
        {"Host": "[::1"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
    ids=str,
)
def test_other_pages_are_refused(server, method, headers):
    status, _, body = ask(server, method, "/" if method == "GET" else "/clip", None, **headers)

    assert status == 403
    assert "message" in json.loads(body)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_its_own_page_may_come_through_another_port(server, host):
    assert ask(server, "GET", "/network", Host=f"{host}:9", Origin=f"http://{host}:9")[0] == 200


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (403, {"Origin": None}),
        (415, {"Content_Type": "text/plain"}),
        (415, {"Content_Type": "multipart/form-data; boundary=a"}),
        (411, {"Content_Length": "-1"}),
        (411, {"Content_Length": "many"}),
    ],
)
def test_what_the_page_would_not_send_is_refused(server, status, headers):
    assert ask(server, "POST", "/clip", b"abc", **headers)[0] == status
    assert ask(server, "POST", "/other", b"abc")[0] == 404


def test_a_clip_too_large_is_refused_with_both_sizes(server):
    status, events = send(server, bytes(2 * LARGEST_BYTES))

    assert status == 413
    assert events[0]["message"] == "the clip has 6 MB; this page takes up to 3 MB"
    assert left_over(server) == []


def test_a_short_clip_is_what_predict_says(server, model, clips):
    status, (about, window, end) = send(server, clips["short"].read_bytes())

    expected = model.predict(clips["short"])
    assert status == 200
    assert (about["windows"], about["window_s"]) == (1, 3.6)
    assert window["probabilities"] == pytest.approx(dict(expected.probabilities), abs=1e-6)
    assert (end["label"], window["label"]) == (expected.label, expected.label)
    assert sum(end["probabilities"].values()) == pytest.approx(1, abs=1e-9)
    assert [frame["found"] for frame in window["frames"]] == list(expected.face_found)
    assert list(window["stages_s"]) == ["decode", "faces", "audio", "network"]
    assert window["total_s"] == pytest.approx(sum(window["stages_s"].values()))


def test_faces_come_as_pictures_of_what_the_network_was_given(server, model, clips):
    _, events = send(server, clips["short"].read_bytes())
    frame = events[1]["frames"][7]
    faces = model.front_end(clips["short"]).faces

    kind, _, data = frame["picture"].partition(",")
    with av.open(io.BytesIO(base64.b64decode(data)), format="jpeg_pipe") as file:
        shown = next(file.decode(video=0)).to_ndarray(format="rgb24")
    small = faces[7].reshape(112, 2, 112, 2, 3).mean(axis=(1, 3))
    assert kind == "data:image/jpeg;base64"
    assert abs(shown - small).mean() < 4
    assert frame["time_s"] == pytest.approx(7.5 * 0.24)


def test_a_longer_clip_is_seen_window_by_window(server, model, clips):
    _, events = send(server, clips["long"].read_bytes())

    windows, end = events[1:-1], events[-1]
    starts = [window["start_s"] for window in windows]
    assert starts == pytest.approx([0, 1.2, 2.4, 3.6, 4.8, events[0]["duration_s"] - 3.6])
    assert [window["label"] is None for window in windows] == [False] * 4 + [True] * 2
    assert all(not window["probabilities"] and "network" not in window["stages_s"] for window in windows[4:])
    assert [frame["found"] for frame in windows[3]["frames"]] == [True] * 2 + [False] * 13
    assert windows[2]["label"] == model.predict(clips["long"], start_s=2.4).label
    shares = [window["probabilities"] for window in windows[:4]]
    assert end["probabilities"] == pytest.approx({k: sum(one[k] for one in shares) / 4 for k in shares[0]})
    assert end["label"] == max(end["probabilities"], key=end["probabilities"].get)


@pytest.mark.parametrize(
    ("duration_s", "starts"),
    [(0, [0]), (3.6, [0]), (3.65, [0]), (4.8, [0, 1.2]), (5.5, [0, 1.2, 1.9]), (6.0, [0, 1.2, 2.4])],
)
def test_windows_reach_the_end_of_the_clip(duration_s, starts):
    assert window_starts_s(duration_s, 3.6) == pytest.approx(starts)


def bodies(clips):
    return {
        "not a video": b"These are words.",
        "not a video: no known media format": b"ffconcat version 1.0\nfile another\n",
        "is empty": b"",
        "truncated": clips["short"].read_bytes()[:-9000],
        "no audio track": clips["silent"].read_bytes(),
        "no video track": clips["blind"].read_bytes(),
        f"takes clips up to {LONGEST_S:.0f} s": clips["endless"].read_bytes(),
        "no face found in any of 15 frames": clips["faceless"].read_bytes(),
    }


def test_what_is_no_clip_is_told_and_the_next_one_is_seen(server, clips):
    for words, body in bodies(clips).items():
        status, events = send(server, body)
        assert status == (422 if len(events) == 1 else 200)
        assert words in events[-1]["message"], events[-1]
        assert str(server.viewer.folder) not in events[-1]["message"]
        wait_until(lambda: not left_over(server))
    assert send(server, clips["short"].read_bytes())[1][-1]["event"] == "end"


def test_an_upload_that_breaks_off_leaves_nothing(server, clips, capfd):
    with socket.create_connection(("127.0.0.1", server.server_port)) as line:
        origin = f"127.0.0.1:{server.server_port}"
        line.sendall(
            f"POST /clip HTTP/1.1\r\nHost: {origin}\r\nOrigin: http://{origin}\r\nContent-Type: {BINARY}\r\n"
            "Content-Length: 100000\r\n\r\nabc".encode()
        )
        wait_until(lambda: left_over(server))
    wait_until(lambda: not left_over(server))

    assert send(server, clips["short"].read_bytes())[1][-1]["event"] == "end"
    assert capfd.readouterr().err == ""


def test_clips_wait_for_each_other_and_too_many_are_refused(model, clips, tmp_path):
    body, done = clips["short"].read_bytes(), []
    with serving(model, tmp_path, most_clips=2) as server:
        with server.viewer._turn:  # as if a clip were being looked at
            waiting = [threading.Thread(target=lambda: done.append(send(server, body))) for _ in range(2)]
            for thread in waiting:
                thread.start()
            wait_until(lambda: len(left_over(server)) == 2)
            status, events = send(server, body)
            assert status == 503
            assert "try again" in events[0]["message"]
            time.sleep(0.7)
        for thread in waiting:
            thread.join()
        assert [status for status, _ in done] == [200, 200]
        assert all(events[0]["event"] == "waiting" and events[-1]["event"] == "end" for _, events in done)
        assert send(server, body)[0] == 200


def test_a_failure_of_ours_is_told_and_keeps_its_traceback(model, clips, tmp_path, monkeypatch, capfd):
    def fail(clip):
        raise ZeroDivisionError("a bug")

    with serving(model, tmp_path) as server:
        with monkeypatch.context() as patch:
            patch.setattr(model, "predict_clip", fail)
            _, events = send(server, clips["short"].read_bytes())
        assert events[-1]["event"] == "error"
        wait_until(lambda: not left_over(server))
        assert send(server, clips["short"].read_bytes())[1][-1]["event"] == "end"
    assert "ZeroDivisionError: a bug" in capfd.readouterr().err
