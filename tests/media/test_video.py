"""Pictures picked by decoding little, bit for bit against a decoder of its own that decodes everything."""

import av
import numpy as np
import pytest
from media_files import moving, remux, tone, turned, write_media

from edge_aver.media import video
from edge_aver.media.decode import decode_clip
from edge_aver.spec import Preprocessing

CONSTANTS = Preprocessing()
TIMES_S = CONSTANTS.frame_times_s()
PYRAMID = "keyint=40:bframes=3:b-pyramid=normal:b-adapt=0:scenecut=0"


def all_decoded(source):
    """Time, duration and upright RGB of every picture, by one thread and in order of time."""
    with av.open(str(source)) as container:
        zero_s = container.start_time / 1e6
        track = container.streams.video[0]
        track.codec_context.thread_type = "NONE"
        shown = [
            (frame.time - zero_s, frame.duration * float(frame.time_base) or 0.04, image_of(frame))
            for frame in container.decode(track)
        ]
    return sorted(shown, key=lambda item: item[0])


def image_of(frame):
    return np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))


def expected(shown, start_s=0.0):
    """The picture nearest to every time: None after the last one's end, and a picture's length before the first."""
    first, last = shown[0], shown[-1]
    for time_s in (start_s + time_s for time_s in TIMES_S):
        inside = first[0] - first[1] <= time_s <= last[0] + last[1]
        yield min(shown, key=lambda item: (abs(item[0] - time_s), item[0]))[2] if inside else None


@pytest.fixture
def counts(monkeypatch):
    """(packets of the window, packets that were decoded of them) of every clip that needed no full decode."""
    found = []
    real_needed, real_pick = video.needed, video.pick_needed

    def needed(packets, roles, wanted):
        kept = real_needed(packets, roles, wanted)
        found.append((len(packets), len(kept)))
        return kept

    def pick(sampling, packets):
        picked = real_pick(sampling, packets)
        if picked is None:
            found.clear()
        return picked

    monkeypatch.setattr(video, "needed", needed)
    monkeypatch.setattr("edge_aver.media.decode.pick_needed", pick)
    return found


def check(path, start_s=0.0):
    clip = decode_clip(path, CONSTANTS, start_s=start_s)
    for i, (picture, image) in enumerate(zip(clip.pictures, expected(all_decoded(path), start_s), strict=True)):
        assert (picture is None) == (image is None), i
        if picture is not None:
            np.testing.assert_array_equal(picture.rgb(), image, str(i))
    return clip


def make(path, *, seconds=4.0, rate=25, size=(96, 160), encoder="libx264", parameters=PYRAMID, **options):
    if encoder not in av.codecs_available:
        pytest.skip(f"this PyAV has no {encoder}")
    pictures = [moving(i, height=size[0], width=size[1]) for i in range(round(seconds * rate))]
    own = {"libx264": {"x264-params": parameters}, "libx265": {"x265-params": f"log-level=none:{parameters}"}}
    codec_options = {"preset": "veryfast", **own[encoder]} if encoder in own else {}
    options = {"sound": tone(seconds), "codec": encoder, "codec_options": codec_options, **options}
    return write_media(path, pictures=pictures, rate=rate, **options)


THINNED = {
    "pyramid": {},
    "open groups": {"parameters": f"{PYRAMID}:open-gop=1"},
    "60 a second": {"rate": 60},
    "many references": {"parameters": "keyint=60:bframes=8:b-pyramid=normal:b-adapt=0:ref=8:scenecut=0"},
    "four slices": {"parameters": f"{PYRAMID}:slices=4"},
    "no b frames": {"parameters": "keyint=20:bframes=0:scenecut=0"},
    "intra": {"parameters": "keyint=1"},
    "yuv444": {"pixel_format": "yuv444p", "size": (61, 97)},
    "10 bits": {"pixel_format": "yuv420p10le"},
    "late audio": {"sound_start_s": 0.033},
    "late video": {"pictures_start_s": 0.5},
    "late both": {"pictures_start_s": 1.5, "sound_start_s": 1.5},
    "hevc": {"encoder": "libx265", "parameters": "keyint=40:bframes=4:b-adapt=0:scenecut=0"},
    "hevc, closed groups": {"encoder": "libx265", "parameters": "keyint=20:bframes=3:b-adapt=0:open-gop=0"},
    "hevc, layers": {"encoder": "libx265", "parameters": "keyint=40:bframes=4:b-adapt=0:temporal-layers=3"},
    "hevc, 10 bits": {"encoder": "libx265", "pixel_format": "yuv420p10le"},
}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize("name", THINNED)
def test_less_is_decoded_and_the_pictures_are_the_same(tmp_path, name, suffix, counts):
    check(make(tmp_path / f"clip{suffix}", **THINNED[name]))
    ((read, decoded),) = counts
    assert decoded < read


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_a_variable_frame_rate_with_b_frames(tmp_path, suffix, counts):
    ticks = [*range(0, 40), *range(40, 80, 4), *range(80, 90), *range(91, 120, 3)]
    check(make(tmp_path / f"clip{suffix}", seconds=len(ticks) / 25, ticks=ticks, sound=tone(4.8)))
    assert counts


@pytest.mark.parametrize("shift_s", [-0.5, -1.32, -0.04])
def test_an_edit_list_hides_the_beginning(tmp_path, shift_s, counts):
    path = remux(make(tmp_path / "whole.mp4", seconds=5.2), tmp_path / "edited.mp4", shift_s=shift_s)
    with av.open(str(path)) as container:
        hidden = [packet.is_discard for packet in container.demux(video=0)]
    assert any(hidden)
    check(path)
    assert counts


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_turned_pictures(tmp_path, quarter_turns, counts):
    path = make(tmp_path / "clip.mp4")
    path.write_bytes(turned(path.read_bytes(), quarter_turns))
    clip = check(path)
    assert (clip.pictures[0].height < clip.pictures[0].width) == (quarter_turns == 2)
    assert counts


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize("start_s", [0.9, 2.2])
def test_a_later_window(tmp_path, suffix, start_s, counts):
    check(make(tmp_path / f"clip{suffix}", seconds=6.4), start_s)
    ((read, decoded),) = counts
    assert decoded < read
    assert decoded < 80


def test_a_clip_of_one_picture(tmp_path, counts):
    clip = check(make(tmp_path / "clip.mp4", seconds=0.2, rate=5, sound=tone(0.2)))
    assert [picture is None for picture in clip.pictures] == [False] + [True] * 14
    assert counts


UNUSUAL = {
    "another codec": (".mp4", {"encoder": "mpeg4"}),
    "vp9": (".webm", {"encoder": "libvpx-vp9", "sound_codec": "libopus"}),
    "vp8": (".webm", {"encoder": "libvpx", "sound_codec": "libopus"}),
    "interlaced": (".mp4", {"parameters": f"{PYRAMID}:interlaced=1"}),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_what_is_unusual_is_decoded_in_full(tmp_path, name, counts):
    suffix, options = UNUSUAL[name]
    check(make(tmp_path / f"clip{suffix}", **options))
    assert not counts


DAMAGE = {
    "no time": lambda packets: setattr(packets[20], "pts", None),
    "one time twice": lambda packets: setattr(packets[20], "pts", packets[21].pts),
    "a picture that does not come": lambda packets: packets.pop(0),
    "cut short": lambda packets: packets.__setitem__(20, like(packets[20], bytes(packets[20])[:-3])),
    "zeros": lambda packets: packets.__setitem__(20, like(packets[20], bytes(packets[20].size))),
    "marked": lambda packets: setattr(packets[20], "is_corrupt", True),
    "nothing": lambda packets: packets.clear(),
}


def like(packet, data):
    other = av.Packet(data)
    other.pts, other.dts, other.duration, other.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
    other.stream = packet.stream
    return other


@pytest.mark.parametrize("damage", ["none", *DAMAGE])
def test_packets_that_do_not_tell_what_is_needed(tmp_path, damage):
    with av.open(str(make(tmp_path / "clip.mp4"))) as container:
        track = container.streams.video[0]
        packets = list(container.demux(track))
        DAMAGE.get(damage, lambda packets: None)(packets)
        sampling = video.Sampling(track=track, times_s=TIMES_S, zero_s=0.0, source=tmp_path)
        assert (video.pick_needed(sampling, packets) is None) == (damage != "none")


@pytest.mark.parametrize("times_s", [(0.01, 1.02), (1.6, 2.42), (0.5, 9.0)])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_both_ways_pick_the_same_and_know_the_same_end(tmp_path, suffix, times_s):
    ticks = [*range(11), *range(20, 31)]
    path = make(tmp_path / f"clip{suffix}", seconds=2.2, rate=10, ticks=ticks, sound=tone(3.2))
    results = []
    for pick in (video.pick_all, video.pick_needed):
        with av.open(str(path)) as container:
            track = container.streams.video[0]
            sampling = video.Sampling(track=track, times_s=times_s, zero_s=0.0, source=path)
            frames, end_s = pick(sampling, container.demux(track))
            results.append(([frame and frame.pts for frame in frames], end_s))
    assert results[0] == results[1]


def test_pictures_without_times_of_their_own(tmp_path):
    check(make(tmp_path / "clip.avi"))


def test_two_pictures_of_one_time_are_decoded_in_full(tmp_path, counts):
    def delay(packet):
        if packet.stream.type == "video" and packet.pts < packet.dts + 2 * packet.duration:
            packet.pts += packet.duration

    whole = make(tmp_path / "whole.mp4")
    twice = remux(whole, tmp_path / "twice.mp4", change=delay)
    with av.open(str(twice)) as container:
        times = [packet.pts for packet in container.demux(video=0) if packet.size]
    assert len(set(times)) < len(times) == 100
    clip = decode_clip(twice, CONSTANTS)
    assert None not in clip.pictures
    assert not counts


def test_pictures_that_the_decoder_gives_too_early_are_put_in_order():
    frames = [av.VideoFrame(16, 16) for _ in range(5)]
    for frame, pts in zip(frames, [0, 2, 1, 4, 3], strict=True):
        frame.pts = pts
    assert [frame.pts for frame in video._in_order(frames, 1)] == [0, 1, 2, 3, 4]
    assert [frame.pts for frame in video._in_order(frames, 0)] == [0, 2, 1, 4, 3]


def test_real_clips(test_data, counts):
    paths = sorted([*test_data.glob("ravdess/*/*.mp4"), *test_data.glob("ravdess-reconstructed/*.mp4")])
    assert paths
    for path in paths:
        check(path)
        read, decoded = counts.pop()
        assert decoded < read, path.name
