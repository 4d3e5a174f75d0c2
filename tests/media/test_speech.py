"""What the 32 columns mean, on sounds of known shape; and that they are librosa's, on all of RAVDESS and odd sounds."""

import subprocess
import sys

import av
import numpy as np
import pytest
from media_files import tone, voice

from edge_aver.errors import ClipError
from edge_aver.media.speech import speech_steps
from edge_aver.spec import Preprocessing

CONSTANTS = Preprocessing()
PITCH, ENERGY = 30, 31
DELTAS = slice(10, 30)
NOT_DELTAS = [*range(10), PITCH, ENERGY]

TOLERANCE = 1e-4
"""Of a column's standard deviation over all recordings."""


def noise(level, samples=57_600):
    return (level * np.random.default_rng(1).standard_normal(samples)).astype(np.float32)


def onset():
    """Digital silence, then a voice at once: windows with a few samples of it, steps far below the strongest band."""
    return np.concatenate([np.zeros(20_011, dtype=np.float32), voice()[10_000:40_000]])


ODD_SOUNDS = {
    "digital silence": np.zeros(57_600, dtype=np.float32),
    "faint noise": noise(1e-5),
    "noise": noise(0.2),
    "clipped": np.clip(40 * voice(), -1, 1).astype(np.float32),
    "square": np.sign(tone(3.6, 173.0, rate_hz=16_000)),
    "click": np.eye(1, 57_600, 30_000, dtype=np.float32)[0],
    "offset": np.full(57_600, 0.25, dtype=np.float32),
    "voice with an offset": voice() + np.float32(0.25),
    "onset": onset(),
    "one period of the lowest pitch": tone(3.6, 65.0, rate_hz=16_000),
    "the fewest steps with a delta": voice()[10_000:11_280],
}


@pytest.fixture(scope="module")
def librosa_steps():
    pytest.importorskip("librosa", reason="librosa defines these numbers: needs the extra reference")
    from edge_aver.media.librosa_speech import librosa_steps

    return librosa_steps


@pytest.fixture(scope="module")
def recordings(test_data):
    paths = sorted((test_data / "ravdess-speech-16k").glob("Actor_*/*.flac"))
    if not paths:
        pytest.skip("no recordings at ravdess-speech-16k/Actor_XX/*.flac of the test data")
    return paths


def read_flac(path):
    with av.open(str(path)) as container:
        samples = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert samples.dtype == np.int16
    return (samples / 2**15).astype(np.float32)


def test_every_recording_has_the_numbers_of_librosa(librosa_steps, recordings):
    """No step of 1,440 recordings, all 24 actors, is off; a tolerance of single precision, not of judgement."""
    assert len(recordings) == 1440
    pairs = [
        (librosa_steps(speech, CONSTANTS), speech_steps(speech, CONSTANTS)) for speech in map(read_flac, recordings)
    ]
    expected, found = (np.concatenate(columns).astype(np.float64) for columns in zip(*pairs, strict=True))
    difference = np.abs(found - expected) / expected.std(axis=0)
    voiced = expected[:, PITCH] > 0
    alike = (found[:, PITCH] > 0) == voiced
    assert 0.1 < voiced.mean() < 0.9
    assert alike.mean() >= 0.999
    assert (difference[alike].max(axis=0) < TOLERANCE).all(), difference[alike].max(axis=0)


@pytest.mark.parametrize("name", ODD_SOUNDS)
def test_odd_sounds_have_the_numbers_of_librosa(name, librosa_steps):
    sound = ODD_SOUNDS[name]
    found = speech_steps(sound, CONSTANTS)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, librosa_steps(sound, CONSTANTS), atol=2e-3, rtol=1e-5)


def test_steps_are_float32_and_one_every_hop():
    steps = speech_steps(voice(), CONSTANTS)
    assert steps.shape == (361, 32)
    assert steps.dtype == np.float32


def test_pitch_of_a_known_voice():
    pitch_hz = speech_steps(voice(), CONSTANTS)[:, PITCH]
    np.testing.assert_allclose(pitch_hz[60:250], 140.0, rtol=0.01)
    assert not pitch_hz[:40].any()
    assert not pitch_hz[-90:].any()


def test_noise_has_no_pitch():
    assert not speech_steps(noise(0.1), CONSTANTS)[5:-5, PITCH].any()


def test_a_voice_below_the_level_of_silence_has_no_pitch():
    assert speech_steps(voice(), CONSTANTS)[150, PITCH] > 0
    hum = tone(3.6, 140.0, rate_hz=16_000)
    for dbfs, voiced in ((-58.0, True), (-62.0, False)):
        level = np.sqrt(2) * 10 ** (dbfs / 20) / 0.3
        assert bool(speech_steps(level * hum, CONSTANTS)[150, PITCH]) is voiced


def test_log_energy_is_that_of_the_twenty_milliseconds_around():
    burst = np.zeros(57_600, dtype=np.float32)
    burst[16_000 - 160 : 16_000 + 160] = 0.5
    energy = speech_steps(burst, CONSTANTS)[:, ENERGY]
    np.testing.assert_allclose(energy[[98, 99, 100, 101, 102]], np.log([1e-10, 0.125, 0.25, 0.125, 1e-10]), atol=1e-4)


def test_digital_silence_is_finite():
    steps = speech_steps(np.zeros(57_600, dtype=np.float32), CONSTANTS)
    assert np.isfinite(steps).all()
    np.testing.assert_allclose(steps[:, ENERGY], np.log(1e-10), rtol=1e-6)
    assert not steps[:, PITCH].any()


@pytest.mark.parametrize("samples", [0, 1, 100, 159, 160, 1_279])
def test_short_speech_has_the_steps_of_the_same_before_silence_and_no_deltas(samples):
    short = voice()[10_000 : 10_000 + samples]
    steps = speech_steps(short, CONSTANTS)
    assert steps.shape == (1 + samples // 160, 32)
    assert not steps[:, DELTAS].any()
    longer = speech_steps(np.pad(short, (0, 57_600 - samples)), CONSTANTS)
    np.testing.assert_allclose(steps[:, NOT_DELTAS], longer[: len(steps), NOT_DELTAS], rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused(value):
    speech = voice()
    speech[30_000] = value
    with pytest.raises(ClipError, match=r"^the speech holds samples that are infinite or not a number"):
        speech_steps(speech, CONSTANTS)


def test_the_signal_is_left_as_it_was():
    speech = voice()
    speech.flags.writeable = False
    np.testing.assert_array_equal(speech_steps(speech, CONSTANTS), speech_steps(voice(), CONSTANTS))


def test_numpy_alone_is_imported():
    code = (
        "import sys, numpy as np\n"
        "from edge_aver.media.speech import speech_steps\n"
        "from edge_aver.spec import Preprocessing\n"
        "speech_steps(np.zeros(57_600, dtype=np.float32), Preprocessing())\n"
        "print(sorted({'librosa', 'numba', 'scipy', 'torch'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
