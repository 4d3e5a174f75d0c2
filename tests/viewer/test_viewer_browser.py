"""The page in a real browser: a clip through the file input and by dropping, by keyboard, on a phone, in the dark."""

import base64
import json

import pytest
from browser import CONTRAST, OVERFLOWING, chromium

DONE = "document.querySelector('#status').textContent.startsWith('Done')"
WAIT_S = 120


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def open_page(page, server):
    def open_at(*, width=1280, dark=False):
        page.console.clear()
        page.open(server.url, width=width, dark=dark)
        page.wait("document.querySelector('#network').textContent.includes('aver-sa')", seconds=WAIT_S)
        return page

    return open_at


def text(page, selector):
    return page.ask(f"document.querySelector({selector!r}).textContent.trim()")


def look(page, clip):
    page.ask("document.querySelector('#file').value = ''")  # as its click does: the same file may be chosen again
    page.choose("#file", clip)
    page.wait(DONE, seconds=WAIT_S)


def shares(page, row):
    """Probabilities in a row of the table."""
    return page.ask(f"[...document.querySelectorAll('#rows tr')[{row}].cells].slice(2, 10).map((c) => +c.dataset.v)")


def test_a_clip_is_shown_with_faces_probabilities_and_stages(open_page, clips, model):
    page = open_page()
    look(page, clips["short"])

    expected = model.predict(clips["short"])
    assert text(page, "#answer") == f"{expected.label}, {100 * expected.probabilities[expected.label]:.1f} %"
    assert text(page, "#told") == "short.mp4, 3.6 s."
    assert shares(page, 0) == pytest.approx(list(expected.probabilities.values()), abs=1e-6)
    assert sum(shares(page, 0)) == pytest.approx(1, abs=1e-9)
    pictures = "[...document.querySelectorAll('#faces img')]"
    page.wait(f"{pictures}.length && {pictures}.every((one) => one.naturalWidth === 112)")
    assert page.ask(f"{pictures}.length") == 15
    names = page.ask("[...document.querySelectorAll('#stages text')].map((part) => part.textContent)")
    assert names[::2] == ["decode", "faces", "audio", "network"]
    assert all(name.endswith(" ms") for name in names[1::2])
    assert "fp32" in text(page, "#precision")
    assert "onnxruntime-cpu" in text(page, "#precision")
    assert text(page, "#note").startswith("Synthetic actors")
    assert page.ask("document.querySelector('#picker').hidden")
    hosts = page.ask("[...new Set(performance.getEntriesByType('resource').map((one) => new URL(one.name).origin))]")
    assert [f"{host}/" for host in hosts if host != "null"] == [page.ask("location.href")]
    assert page.console == []


def test_windows_are_chosen_by_keyboard_and_by_pointer(open_page, clips):
    page = open_page()
    look(page, clips["long"])
    page.ask("document.querySelector('#window').focus()")
    page.press("Home", 36)
    assert text(page, "#window-told") == "1 of 6: 0.0 to 3.6 s"
    page.press("ArrowRight", 39)
    assert text(page, "#window-told") == "2 of 6: 1.2 to 4.8 s"
    page.press("End", 35)

    assert text(page, "#faces-title") == "Sampled faces: 0 of 15"
    assert page.ask("[...document.querySelectorAll('#faces .none')].every((one) => one.textContent === 'no face')")
    assert page.ask("document.querySelectorAll('#faces img, #stages rect').length") == 3  # stages, no network
    assert text(page, "#chart-told").endswith("no face, so nothing is recognised.")
    assert page.ask("document.querySelectorAll('#chart .blank').length") == 2
    box = page.ask("(({x, y, width}) => [x, y, width])(document.querySelector('#chart').getBoundingClientRect())")
    page.ask(f"document.elementFromPoint({box[0] + box[2] / 2}, {box[1] + 20}) !== null")
    for kind in ("mousePressed", "mouseReleased"):
        at = {"x": box[0] + 100, "y": box[1] + 20, "button": "left", "clickCount": 1}
        page.call("Input.dispatchMouseEvent", type=kind, **at)
    assert text(page, "#window-told").startswith("1 of 6")
    assert page.ask("document.querySelectorAll('#rows tr').length") == 6
    assert [sum(shares(page, row)) for row in range(4)] == pytest.approx([1] * 4, abs=1e-9)


def test_a_clip_can_be_dropped(open_page, clips):
    page = open_page()
    data = base64.b64encode(clips["short"].read_bytes()).decode()
    page.ask(f"""(() => {{
      const bytes = Uint8Array.from(atob({json.dumps(data)}), (one) => one.charCodeAt(0));
      const carried = new DataTransfer();
      carried.items.add(new File([bytes], "dropped.mp4", {{ type: "video/mp4" }}));
      const send = (kind) => document.querySelector("#drop").dispatchEvent(
        new DragEvent(kind, {{ dataTransfer: carried, bubbles: true, cancelable: true }}));
      send("dragover");
      window.lit = document.querySelector("#drop").className;
      window.kept = !send("drop");
    }})()""")
    page.wait(DONE, seconds=WAIT_S)

    assert page.ask("[window.lit, window.kept]") == ["drop over", True]
    assert text(page, "#told").startswith("dropped.mp4")


def test_what_cannot_be_seen_is_told_and_the_next_clip_is_seen(open_page, clips, tmp_path):
    page = open_page()
    words = tmp_path / "words.mp4"
    words.write_bytes(b"These are words.")
    large = tmp_path / "large.mp4"
    large.write_bytes(bytes(4_000_000))
    for path, expected in (
        (words, "words.mp4: not a video: no known media format."),
        (large, "large.mp4 has 4 MB; this page takes up to 3 MB."),
        (clips["faceless"], "faceless.mp4: no face found in any of 15 frames."),
        (clips["silent"], "silent.mp4: no audio track"),
    ):
        page.ask("document.querySelector('#problem').textContent = ''")
        page.choose("#file", path)
        page.wait("document.querySelector('#problem').textContent", seconds=WAIT_S)
        assert text(page, "#problem").lower().startswith(expected.lower())
        assert page.ask("document.querySelector('#result').hidden && document.querySelector('#stop').hidden")
    look(page, clips["short"])

    assert text(page, "#problem") == ""
    assert page.ask("document.querySelector('#problem').role") == "alert"
    assert page.ask("document.querySelector('#status').role") == "status"


def test_one_who_waits_can_stop(open_page, clips, server):
    page = open_page()
    with server.viewer._turn:  # as if another clip were being looked at
        page.choose("#file", clips["short"])
        page.wait("document.querySelector('#status').textContent.startsWith('Waiting')", seconds=WAIT_S)
        page.ask("document.querySelector('#stop').click()")
        page.wait("document.querySelector('#status').textContent === 'Stopped.'", seconds=WAIT_S)
    look(page, clips["short"])


def test_the_first_stop_of_the_keyboard_is_the_file_input(open_page):
    page = open_page()
    page.press("Tab", 9)

    assert page.ask("document.activeElement.id") == "file"
    assert page.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert page.ask("document.activeElement.labels[0].textContent") == "Drop a clip here or choose a file"


@pytest.mark.parametrize(("width", "dark"), [(360, False), (360, True), (768, False), (1280, False), (1280, True)])
def test_it_fits_any_screen_and_can_be_read_in_the_dark(open_page, clips, width, dark):
    page = open_page(width=width, dark=dark)
    look(page, clips["long"])
    page.ask("document.querySelector('#numbers').open = true")

    assert page.ask("getComputedStyle(document.body).backgroundColor") == (
        "rgb(20, 23, 27)" if dark else "rgb(255, 255, 255)"
    )
    assert page.ask("document.documentElement.scrollWidth") <= width
    assert page.ask(OVERFLOWING) == []
    assert page.ask(CONTRAST) == []
