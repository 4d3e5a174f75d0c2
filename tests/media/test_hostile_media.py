"""Files whose headers promise what nothing can decode, or only in more memory than there is."""

import pytest
from media_files import moving, tone, voice, write_media

from edge_aver.errors import ClipError
from edge_aver.media.decode import decode_clip, decode_speech
from edge_aver.spec import Preprocessing

CONSTANTS = Preprocessing()


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("media") / "clip.mp4"
    return write_media(path, pictures=[moving(number) for number in range(100)], sound=tone(4)).read_bytes()


@pytest.mark.parametrize("rate_hz", [500, 200_000_000, 0x7FFFFFFF])
def test_a_rate_that_no_sound_has_is_refused_before_memory_is_asked_for(tmp_path, rate_hz):
    data = write_media(
        tmp_path / "voice.wav", sound=voice(), sound_rate_hz=16_000, sound_codec="pcm_s16le"
    ).read_bytes()
    at = data.index(b"fmt ") + 12
    with pytest.raises(ClipError, match=f"audio of {rate_hz} Hz: damaged"):
        decode_speech(data[:at] + rate_hz.to_bytes(4, "little") + data[at + 4 :], CONSTANTS)


def test_pictures_beyond_8k_are_refused(clip, monkeypatch):
    monkeypatch.setattr("edge_aver.media.container._MAX_PIXELS", 160 * 96 - 1)
    with pytest.raises(ClipError, match="pictures of 160 x 96: at most 8K"):
        decode_clip(clip, CONSTANTS)


@pytest.mark.parametrize("name", [b"avc1"])
def test_a_track_that_nothing_decodes_is_refused(clip, name):
    with pytest.raises(ClipError, match="in a format that FFmpeg cannot decode"):
        decode_clip(clip.replace(name, b"zzzz"), CONSTANTS)
