"""Decoding against a full decode of numbered pictures, and what happens to files that are no clips."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import PictureType
from media_files import click, numbered, presentation_times_s, read_number, tone, turned, write_media

from edge_aver.errors import ClipError
from edge_aver.media.decode import decode_clip, probe_duration_s
from edge_aver.spec import Preprocessing

CONSTANTS = Preprocessing()


def numbers(clip):
    return [None if picture is None else read_number(picture.rgb()) for picture in clip.pictures]


def nearest_numbers(path, start_s=0.0):
    shown = presentation_times_s(path)
    return [min(shown, key=lambda item: abs(item[0] - start_s - time))[1] for time in CONSTANTS.frame_times_s()]


def clip_of(path, seconds=4.0, rate=25, **options):
    pictures = [numbered(i) for i in range(round(seconds * rate))]
    return write_media(path, pictures=pictures, rate=rate, **{"sound": tone(seconds), **options})


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return clip_of(tmp_path_factory.mktemp("plain") / "plain.mp4")


@pytest.mark.parametrize("rate", [25, Fraction(30_000, 1001), 10])
def test_takes_the_pictures_nearest_in_time_across_b_frames(tmp_path, rate):
    path = clip_of(tmp_path / "b.mp4", rate=rate, b_frames=3, key_every=12)
    with av.open(str(path)) as container:
        assert PictureType.B in {frame.pict_type for frame in container.decode(video=0)}
    assert numbers(decode_clip(path, CONSTANTS)) == nearest_numbers(path)


def test_takes_times_not_indices_where_the_frame_rate_varies(tmp_path):
    ticks = [*range(0, 40), *range(40, 80, 4), *range(80, 100)]
    pictures = [numbered(i) for i in range(len(ticks))]
    path = write_media(tmp_path / "vfr.mp4", pictures=pictures, ticks=ticks, sound=tone(4))
    taken = numbers(decode_clip(path, CONSTANTS))
    assert taken == nearest_numbers(path)
    assert [ticks[number] for number in taken] != taken


@pytest.mark.parametrize("seconds", [1.5, 4.0])
def test_decoding_every_picture_samples_the_same(tmp_path, seconds):
    """Also where the window holds the whole file, so that both tracks are read to their ends."""
    path = clip_of(tmp_path / "clip.mp4", seconds, b_frames=3, key_every=12)

    lazy, plain = (decode_clip(path, CONSTANTS, every_picture=every) for every in (False, True))

    assert numbers(lazy) == numbers(plain)
    np.testing.assert_array_equal(lazy.speech, plain.speech)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize("start_s", [0.0, 1.31, 2.4])
def test_a_window_that_starts_later_is_on_the_same_clock(tmp_path, suffix, start_s):
    path = clip_of(tmp_path / f"long{suffix}", seconds=6.4, b_frames=2, key_every=60, sound=click(6.4, 3.0))
    clip = decode_clip(path, CONSTANTS, start_s=start_s)
    assert numbers(clip) == nearest_numbers(path, start_s)
    begins = int(np.argmax(np.abs(clip.speech) > 0.2))
    assert begins == pytest.approx((3.0 - start_s) * 16_000, abs=48)


def test_decodes_nothing_after_the_window(tmp_path):
    path = clip_of(tmp_path / "long.mp4", seconds=20.0)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    path.write_bytes(data)
    assert numbers(decode_clip(path, CONSTANTS))[-1] == 87
    with pytest.raises(ClipError, match="truncated or damaged"):
        decode_clip(path, CONSTANTS, start_s=14.0)


def test_a_short_clip_ends_in_black_and_silence(tmp_path):
    clip = decode_clip(clip_of(tmp_path / "short.mp4", seconds=2.0), CONSTANTS)
    assert [number is None for number in numbers(clip)] == [time > 2.0 for time in CONSTANTS.frame_times_s()]
    assert clip.speech.shape == (57_600,)
    assert clip.speech.dtype == np.float32
    assert np.abs(clip.speech[24_000:31_000]).max() > 0.25
    assert not clip.speech[34_000:].any()
    assert clip.duration_s == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_tracks_may_differ_in_length(tmp_path, suffix):
    brief_sound = decode_clip(clip_of(tmp_path / f"sound{suffix}", sound=tone(2.0)), CONSTANTS)
    assert None not in numbers(brief_sound)
    assert not brief_sound.speech[34_000:].any()
    brief_video = decode_clip(clip_of(tmp_path / f"video{suffix}", seconds=2.0, sound=tone(4.0)), CONSTANTS)
    assert numbers(brief_video)[8:] == [None] * 7
    assert brief_video.speech[-8_000:].any()


def test_audio_that_starts_late_is_silent_until_then(tmp_path):
    clip = decode_clip(clip_of(tmp_path / "late.mp4", sound=tone(2.5), sound_start_s=1.5), CONSTANTS)
    begins = int(np.argmax(np.abs(clip.speech) > 0.05))
    assert begins == pytest.approx(24_000, abs=60)
    assert numbers(clip)[0] == 3


def test_video_that_starts_late_is_black_until_then(tmp_path):
    path = clip_of(tmp_path / "late.mp4", seconds=2.5, pictures_start_s=1.5, sound=click(4.0, 1.0))
    clip = decode_clip(path, CONSTANTS)
    assert [number is None for number in numbers(clip)] == [time < 1.46 for time in CONSTANTS.frame_times_s()]
    assert int(np.argmax(np.abs(clip.speech) > 0.2)) == pytest.approx(16_000, abs=48)


def test_audio_that_starts_one_picture_late_stays_so(tmp_path):
    for suffix in (".mp4", ".ts"):
        path = clip_of(tmp_path / f"late{suffix}", sound=click(3.9, 1.0), sound_start_s=0.033)
        with av.open(str(path)) as container:  # the encoder's priming comes before the first sound
            shift_s = container.streams.video[0].start_time * container.streams.video[0].time_base
            shift_s = float(shift_s) - container.start_time / 1e6
        begins = int(np.argmax(np.abs(decode_clip(path, CONSTANTS).speech) > 0.2))
        assert begins == pytest.approx((1.033 + shift_s) * 16_000, abs=60), suffix


def test_sound_keeps_its_place_and_shape_at_any_rate(tmp_path):
    for rate_hz in (8_000, 16_000, 22_050, 44_100, 48_000):
        sound = click(4.0, 1.0, rate_hz=rate_hz)
        path = clip_of(tmp_path / f"{rate_hz}.mp4", sound=sound, sound_rate_hz=rate_hz)
        speech = decode_clip(path, CONSTANTS).speech
        assert int(np.argmax(np.abs(speech) > 0.4)) == pytest.approx(16_000, abs=32), rate_hz


def test_sound_without_loss_is_the_signal_itself(tmp_path):
    path = clip_of(tmp_path / "pcm.mkv", sound=tone(4.0, 300.0), sound_codec="pcm_s16le")
    expected = tone(3.6, 300.0, rate_hz=16_000)
    np.testing.assert_allclose(decode_clip(path, CONSTANTS).speech[100:-100], expected[100:-100], atol=2e-3)


def test_channels_are_averaged(tmp_path):
    stereo = np.stack([tone(4.0, 300.0, level=0.5), np.zeros(192_000, dtype=np.float32)])
    path = clip_of(tmp_path / "stereo.mkv", sound=stereo, sound_codec="pcm_s16le")
    expected = tone(3.6, 300.0, rate_hz=16_000, level=0.25)
    np.testing.assert_allclose(decode_clip(path, CONSTANTS).speech[100:-100], expected[100:-100], atol=2e-3)


def test_six_channels_are_averaged(tmp_path):
    sound = np.stack([tone(4.0, 300.0, level=0.6), *np.zeros((5, 192_000), dtype=np.float32)])
    path = clip_of(tmp_path / "six.mkv", sound=sound, sound_codec="pcm_s16le")
    expected = tone(3.6, 300.0, rate_hz=16_000, level=0.1)
    np.testing.assert_allclose(decode_clip(path, CONSTANTS).speech[100:-100], expected[100:-100], atol=2e-3)


def test_clipped_sound_and_silence_stay_what_they_are(tmp_path):
    loud = np.sign(tone(4.0, 100.0))
    speech = decode_clip(clip_of(tmp_path / "loud.mkv", sound=loud, sound_codec="pcm_s16le"), CONSTANTS).speech
    assert np.isfinite(speech).all()
    assert np.median(np.abs(speech)) == pytest.approx(1.0, abs=0.02)
    assert np.abs(speech).max() < 1.3  # a band-limited square wave overshoots
    silence = clip_of(tmp_path / "silence.mkv", sound=np.zeros(192_000, dtype=np.float32), sound_codec="pcm_s16le")
    assert not decode_clip(silence, CONSTANTS).speech.any()


def test_bytes_and_path_give_the_same(plain):
    one, other = decode_clip(plain, CONSTANTS), decode_clip(plain.read_bytes(), CONSTANTS, threads=1)
    np.testing.assert_array_equal(one.speech, other.speech)
    np.testing.assert_array_equal(*(np.stack([picture.rgb() for picture in clip.pictures]) for clip in (one, other)))


def test_a_colon_in_a_file_name_is_no_protocol(plain, tmp_path, monkeypatch):
    (tmp_path / "take:1.mp4").write_bytes(plain.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert decode_clip(Path("take:1.mp4"), CONSTANTS).duration_s == pytest.approx(4.0, abs=0.05)


def test_pictures_are_turned_upright_as_their_metadata_say(plain):
    data = plain.read_bytes()
    straight = decode_clip(data, CONSTANTS).pictures[5].rgb()
    for quarter_turns in (1, 2, 3):
        picture = decode_clip(turned(data, quarter_turns), CONSTANTS).pictures[5]
        np.testing.assert_array_equal(picture.rgb(), np.rot90(straight, -quarter_turns))


def test_duration_is_known_without_a_header(tmp_path, plain):
    assert probe_duration_s(plain) == pytest.approx(4.0, abs=0.05)
    assert probe_duration_s(clip_of(tmp_path / "stream.ts")) == pytest.approx(4.0, abs=0.1)


@pytest.mark.parametrize("suffix", [".ts", ".mkv", ".mp4"])
def test_a_clock_that_does_not_start_at_zero_is_brought_to_zero(tmp_path, suffix):
    sound = click(4.0, 1.0)
    path = clip_of(tmp_path / f"late{suffix}", pictures_start_s=1.5, sound_start_s=1.5, sound=sound)
    assert presentation_times_s(path)[0][0] >= 1.5
    clip = decode_clip(path, CONSTANTS)
    with av.open(str(path)) as container:  # the encoder's priming begins a little before the first sound
        zero_s = container.start_time / 1e6
    assert numbers(clip) == nearest_numbers(path, zero_s)
    assert int(np.argmax(np.abs(clip.speech) > 0.2)) == pytest.approx(16_000, abs=400)


def refusal(source, **options):
    with pytest.raises(ClipError) as caught:
        decode_clip(source, CONSTANTS, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_refuses_what_is_no_video(tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("This is not a video.\n" * 50)
    assert refusal(text) == f"{text}: not a video: no known media format"
    assert "not a video" in refusal(text.read_bytes())
    empty = tmp_path / "empty.mp4"
    empty.touch()
    assert refusal(empty) == f"{empty}: is empty (0 bytes)"
    assert "no such file" in refusal(tmp_path / "absent.mp4")
    assert "cannot be read: Is a directory" in refusal(tmp_path)


def test_refuses_a_missing_track(tmp_path):
    silent = clip_of(tmp_path / "silent.mp4", sound=None)
    assert "no audio track (found: video)" in refusal(silent)
    sound = write_media(tmp_path / "sound.mp4", sound=tone(2))
    assert "no video track (found: audio)" in refusal(sound)


def test_refuses_zero_seconds(tmp_path):
    empty = write_media(tmp_path / "zero.mp4", pictures=[], sound=np.zeros(0, dtype=np.float32))
    assert "zero seconds" in refusal(empty)


def test_refuses_an_empty_audio_track(tmp_path):
    mute = clip_of(tmp_path / "mute.mkv", sound=np.zeros(0, dtype=np.float32))
    assert refusal(mute) == f"{mute}: its audio track is empty"


def test_refuses_a_window_outside_the_clip(plain):
    assert "no window starts at 9.00 s; the clip lasts 4.0" in refusal(plain, start_s=9.0)
    assert "no window starts at -1.00 s" in refusal(plain, start_s=-1.0)


@pytest.mark.parametrize("part", [0.002, 0.03, 0.3, 0.6, 0.8])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_refuses_a_file_cut_short(tmp_path, suffix, part):
    whole = clip_of(tmp_path / f"whole{suffix}", seconds=3.4)
    data = whole.read_bytes()
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(data[: round(part * len(data))])
    assert refusal(cut).startswith(f"{cut}: ")
    assert refusal(cut.read_bytes()).startswith("clip of ")
    assert numbers(decode_clip(whole, CONSTANTS))[13] == 81


def test_refuses_a_file_whose_index_was_lost(plain):
    data = plain.read_bytes()
    assert "it begins as an MP4" in refusal(data.replace(b"moov", b"lost"))


def test_takes_real_clips_that_hold_less_than_they_say(test_data):
    path = test_data / "ravdess" / "Actor_01" / "01-01-01-01-01-01-01.mp4"
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        assert (video.frames, sum(1 for _ in container.decode(video))) == (99, 98)
    clip = decode_clip(path, CONSTANTS)
    assert [picture is None for picture in clip.pictures] == [False] * 14 + [True]
    assert clip.pictures[0].rgb().shape == (720, 1280, 3)
    assert np.abs(clip.speech[16_000:32_000]).max() > 0.02


@pytest.mark.parametrize("part", [0.5, 0.95, 0.999])
def test_refuses_a_real_clip_cut_short(test_data, part):
    data = (test_data / "ravdess" / "Actor_01" / "01-01-01-01-01-01-01.mp4").read_bytes()
    assert "truncated" in refusal(data[: round(part * len(data))])


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_what_comes_after_the_end_of_a_part_is_black_and_silent(tmp_path, suffix):
    path = clip_of(tmp_path / f"long{suffix}", seconds=8.0, sound=tone(8.0))
    whole = decode_clip(path, CONSTANTS, start_s=2.0)
    part = decode_clip(path, CONSTANTS, start_s=2.0, end_s=3.5)

    held = [time_s < 1.5 for time_s in CONSTANTS.frame_times_s()]
    assert [picture is not None for picture in part.pictures] == held
    assert numbers(part)[: sum(held)] == numbers(whole)[: sum(held)]
    end = round(1.5 * CONSTANTS.sample_rate_hz)
    assert np.abs(part.speech[end - 800 : end - 8]).max() > 0.2
    np.testing.assert_allclose(part.speech[: end - 64], whole.speech[: end - 64], atol=1e-3)
    assert not part.speech[end + 64 :].any()
    assert part.speech.shape == whole.speech.shape


def test_a_part_may_end_before_a_damage_that_a_whole_window_meets(tmp_path):
    path = clip_of(tmp_path / "cut.mkv", seconds=8.0, sound=tone(8.0))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])

    assert decode_clip(path, CONSTANTS, end_s=1.0).pictures[0] is not None
    with pytest.raises(ClipError, match="truncated"):
        decode_clip(path, CONSTANTS, start_s=0.5)


def test_a_part_too_short_for_a_picture_is_refused(plain):
    with pytest.raises(ClipError, match=r"no sampled picture from 1 s to 1.1 s; a part lasts more than 0.12 s"):
        decode_clip(plain, CONSTANTS, start_s=1.0, end_s=1.1)
