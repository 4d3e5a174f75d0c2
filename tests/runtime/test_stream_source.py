"""Reading a source: at real speed, no more decoded than is needed, and broken ones told."""

from types import SimpleNamespace

import av
import numpy as np
import pytest
from media_files import moving, tone, write_media
from stream_fakes import CONSTANTS, GRID, FakeClock

from edge_aver.errors import ClipError, StreamError
from edge_aver.media.decode import decode_clip
from edge_aver.runtime.stream.gate import Backlog
from edge_aver.runtime.stream.intake import Intake
from edge_aver.runtime.stream.pictures import SlotPicture
from edge_aver.runtime.stream.reader import Reader
from edge_aver.runtime.stream.source import at_real_speed, known_source, open_source


def write(path, *, seconds=8, sound=True, **options):
    pictures = [moving(k) for k in range(25 * seconds)]
    return write_media(path, pictures=pictures, **{"sound": tone(seconds) if sound else None, **options})


def read(path, *, take=lambda intake: None, **options):
    """Read a file through a reader whose clock needs no time; gives the reader and the slots."""
    clock, source = FakeClock(), known_source(str(path))
    container = open_source(source, 5.0)
    intake = Intake(CONSTANTS, GRID, has_sound=bool(container.streams.audio), began_s=clock.now_s())
    items = []

    class Taking(Reader):
        """Takes what was decided at once, as a machine would that is quick enough."""

        def _see(self, *arguments):
            super()._see(*arguments)
            drain()

        def _hear(self, *arguments):
            super()._hear(*arguments)
            drain()

    def drain():
        while (item := intake.take(0.0)) is not None:
            items.append(item)

    reader = Taking(source, container, intake, GRID, clock=clock, timeout_s=5.0, **options)
    reader.run()
    drain()
    return reader, [item for item in items if isinstance(item, SlotPicture)], items, clock


@pytest.mark.parametrize(("suffix", "b_frames"), [(".mp4", 0), (".mp4", 3), (".mkv", 2), (".ts", 2)])
def test_its_pictures_and_sound_are_those_of_a_clip(tmp_path, suffix, b_frames):
    path = write(tmp_path / f"clip{suffix}", b_frames=b_frames)
    reader, shown, items, _ = read(path)
    for first in (0, 10, 18):
        clip = decode_clip(path, CONSTANTS, start_s=first * 0.24)
        for own, wanted in zip(shown[first : first + 15], clip.pictures, strict=True):
            assert own.picture is not None
            assert wanted is not None
            np.testing.assert_array_equal(own.picture.rgb(), wanted.rgb())
        sound = [item for item in items if not isinstance(item, SlotPicture)][first : first + 15]
        own_sound = np.concatenate([item.signal[GRID.lead :] for item in sound])
        np.testing.assert_allclose(own_sound[400:-400], clip.speech[400:-400], atol=2e-3)
    assert (reader.passed_over > 20) == (b_frames > 0)
    assert reader.damaged == reader.skipped == reader.jumps == 0


def test_a_file_is_read_at_its_own_speed(tmp_path):
    clock = FakeClock()
    with av.open(str(write(tmp_path / "clip.mp4", seconds=3))) as container:
        video = container.streams.video[0]
        began_s = clock.now_s()
        released = [
            (clock.now_s() - began_s, packet.stream.type, float(packet.pts * packet.time_base))
            for packet in at_real_speed(container.demux(), video.index, clock)
            if packet.size
        ]
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert len(released) == sum(packet.size > 0 for packet in container.demux()) > 3 * 25
    assert all(time_s == pytest.approx(at_s, abs=0.05) for at_s, _, time_s in released)
    assert [at_s for at_s, _, _ in released] == sorted(at_s for at_s, _, _ in released)


def test_it_ends_after_the_duration_asked_for(tmp_path):
    reader, shown, items, clock = read(write(tmp_path / "clip.mp4"), duration_s=2.4)
    assert reader.reached_duration
    assert len(shown) == 10
    assert len(items) == 20
    assert clock.now_s() - 100 < 2.6


def test_without_a_sound_track_it_is_read_too(tmp_path):
    _, shown, items, _ = read(write(tmp_path / "mute.mp4", seconds=2, sound=False))
    assert len(shown) == 9
    assert all(item.signal is None for item in items if not isinstance(item, SlotPicture))


def test_a_truncated_file_gives_what_it_has_and_then_the_error(tmp_path):
    data = write(tmp_path / "whole.mkv", seconds=4).read_bytes()
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(data[: len(data) // 2])
    _, shown, _, _ = read(broken)
    assert 4 < len(shown) < 14


class Camera:
    """Opens as an RTSP address that gives a file at once, and is gone after some times."""

    def __init__(self, path, *, told=True, times=1):
        self.path, self.told, self.left, self.opened = path, told, times, 0

    def open(self, source, timeout_s):
        if not self.left:
            raise StreamError(f"{source.name}: cannot be opened: gone")
        self.left, self.opened = self.left - 1, self.opened + 1
        container = av.open(str(self.path))
        return container if self.told else WithoutLength(container)

    def read(self, monkeypatch):
        monkeypatch.setattr("edge_aver.runtime.stream.reader.open_source", self.open)
        source, clock = known_source("rtsp://camera/1"), FakeClock()
        container = self.open(source, 5.0)
        intake = Intake(CONSTANTS, GRID, has_sound=True, began_s=clock.now_s())
        reader = Reader(source, container, intake, GRID, clock=clock, timeout_s=5.0)
        reader.run()
        error = None
        try:
            while intake.take(0.0) is not None:
                continue
        except StreamError as found:
            error = str(found)
        return reader, error


class WithoutLength:
    """A container that does not know how long it is, as of a camera."""

    duration = None

    def __init__(self, container):
        self.container = container

    def __getattr__(self, name):
        return getattr(self.container, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.container.close()


def test_a_camera_whose_connection_ends_is_opened_again_and_then_given_up(tmp_path, monkeypatch):
    camera = Camera(write(tmp_path / "clip.mkv", seconds=3), told=False, times=3)
    reader, error = camera.read(monkeypatch)
    assert (camera.opened, reader.reconnects) == (3, 2)
    assert error == "rtsp://camera/1: broke off, and could not be opened again within 5 s"


def test_a_recording_that_is_cut_off_on_its_way_is_opened_again(tmp_path, monkeypatch):
    data = write(tmp_path / "whole.mkv", seconds=6).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 2])
    reader, error = Camera(tmp_path / "cut.mkv").read(monkeypatch)
    assert "broke off" in str(error)
    assert reader.reconnects == 0


def test_a_recording_that_came_to_its_length_has_ended(tmp_path, monkeypatch):
    camera = Camera(write(tmp_path / "clip.mkv", seconds=3), times=2)
    reader, error = camera.read(monkeypatch)
    assert (camera.opened, reader.reconnects, error) == (1, 0, None)


@pytest.mark.parametrize("name", ["nowhere.mp4", "nonsense://somewhere", "udp://127.0.0.1:1?timeout=100000"])
def test_what_cannot_be_opened_is_one_line(name):
    with pytest.raises(StreamError, match="cannot be opened"):
        open_source(known_source(name), 1.0)


def test_a_source_without_pictures_is_an_error(tmp_path):
    write_media(tmp_path / "song.mp4", sound=tone(2.0))
    with pytest.raises(ClipError, match="no video track"):
        read(tmp_path / "song.mp4")


def packet(key=False):
    return SimpleNamespace(is_keyframe=key)


def test_a_backlog_is_skipped_to_the_next_key_picture_and_counted():
    backlog, now_s = Backlog(), 0.0
    seen = []
    for k in range(200):
        now_s = max(now_s, k / 25)
        seen.append(not backlog.skips(packet(k % 50 == 0), k / 25, now_s, 0.0))
        now_s += 0.1 if seen[-1] else 0.0
    assert backlog.skipped == seen.count(False) > 50
    first = seen.index(False)
    assert first / 25 * 1.5 == pytest.approx(2.0, abs=0.1)
    assert seen[first:].index(True) + first == 50


def test_a_source_that_pauses_or_runs_slow_has_no_backlog():
    backlog = Backlog()
    assert not backlog.skips(packet(), 0.0, 0.0, 0.0)
    assert not backlog.skips(packet(), 0.04, 30.0, 29.9)
    assert not any(backlog.skips(packet(), 0.04 * k, 30.0 + 0.05 * k, 0.04) for k in range(1000))
    assert backlog.skipped == 0
