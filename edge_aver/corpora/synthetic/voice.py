"""A synthesized voice: glottal pulses through formants, noise for breath and consonants."""

from dataclasses import dataclass

import numpy as np

from edge_aver.corpora.synthetic.actors import Timbre
from edge_aver.corpora.synthetic.cues import VOICE_CUES, Array

__all__ = ["SAMPLE_RATE_HZ", "Speech", "plan_speech", "synthesize"]

SAMPLE_RATE_HZ = 48_000
_RATE_HZ = 16_000
_UPSAMPLING = SAMPLE_RATE_HZ // _RATE_HZ
_RESPONSE_S = 0.02
_ROOM_DBFS = -66.0
_SPEECH_DBFS = -30.0

_VOWELS = {
    "I": (390, 1990, 2550),
    "a": (730, 1090, 2440),
    "o": (570, 840, 2410),
    "O": (450, 800, 2400),
    "e": (500, 1500, 2500),
    "i": (280, 2250, 2950),
    "r": (490, 1350, 1690),
}
"""First three formants of a man's vowels, in Hz (after Peterson and Barney, 1952, rounded)."""

_FORMANTS = ((80.0, 0.0), (100.0, -7.0), (140.0, -15.0), (200.0, -22.0))
"""Bandwidth in Hz and level in dB of each formant."""

_FOURTH_HZ = 3400

_STATEMENTS = (
    ("k:I", "-:ar", "t:o", "k:I", "b:ai", "d:e", "d:or"),  # kids are talking by the door
    ("d:o", "-:ar", "s:I", "t:I", "b:ai", "d:e", "d:or"),  # dogs are sitting by the door
)
"""Syllables: consonant, then the vowel at its start and at its end."""

_BURSTS = {"k": (1800, 0.25), "t": (4500, 0.25), "s": (5500, 0.5), "b": (500, 0.15), "d": (3000, 0.15), "-": (500, 0.0)}
"""Centre in Hz and level of a consonant's noise."""


@dataclass(frozen=True, kw_only=True)
class Speech:
    """When and how a sentence is spoken.

    Attributes:
        starts_s, lengths_s: (syllables,) from the start of the clip.
        stress: (syllables,) near 1.
        syllables: names as in the table of statements.
        voice: (VOICE_CUES,) the performance with the person's resting voice.
    """

    starts_s: Array
    lengths_s: Array
    stress: Array
    syllables: tuple[str, ...]
    voice: Array

    @property
    def end_s(self) -> float:
        """When the last syllable ends."""
        return float(self.starts_s[-1] + self.lengths_s[-1])

    def loudness(self, times_s: Array) -> Array:
        """How open the voice is at `times_s`, 0 to about 1: what moves the mouth and swells the sound."""
        phase = (times_s[:, None] - self.starts_s) / self.lengths_s
        swell = np.abs(np.sin(np.pi * np.clip(phase, 0, 1))) ** 0.7
        return np.asarray((swell * self.stress).max(axis=1), dtype=np.float32)


def plan_speech(rng: np.random.Generator, *, statement: int, voice: Array, start_s: float) -> Speech:
    """Time the syllables of statement 1 or 2, spoken as `voice` (VOICE_CUES,) says."""
    syllables = _STATEMENTS[statement - 1]
    pace = 0.215 * np.exp(-voice[VOICE_CUES.index("tempo")])
    lengths = pace * rng.uniform(0.8, 1.2, len(syllables))
    lengths[-1] *= 1.5
    starts = start_s + np.concatenate([[0], np.cumsum(lengths[:-1])])
    return Speech(
        starts_s=starts.astype(np.float32),
        lengths_s=(1.08 * lengths).astype(np.float32),
        stress=rng.uniform(0.65, 1.0, len(syllables)).astype(np.float32),
        syllables=syllables,
        voice=voice,
    )


def synthesize(rng: np.random.Generator, speech: Speech, timbre: Timbre, *, duration_s: float) -> Array:
    """Speak: (round(duration_s * SAMPLE_RATE_HZ),) float32 in -1 to 1, with the noise of a quiet room."""
    count = round(duration_s * _RATE_HZ)
    times = (np.arange(count) / _RATE_HZ).astype(np.float32)
    cue = dict(zip(VOICE_CUES, speech.voice.tolist(), strict=True))
    loudness = speech.loudness(times)
    pulses = _pulse_times(rng, _pitch(rng, speech, cue, timbre, times))
    voiced = _pulses(rng, pulses, speech, cue, timbre, count) * loudness
    breath = 0.8 * max(cue["breath"], 0) * loudness * _band(rng, count, 1500, 1500)
    speech_dbfs = _SPEECH_DBFS + cue["loudness_db"]
    spoken = voiced / _level(voiced) + breath + _consonants(rng, speech, times)
    signal = 10 ** (speech_dbfs / 20) * spoken
    signal += 10 ** (_ROOM_DBFS / 20) * rng.standard_normal(count)
    return np.tanh(_upsample(signal)).astype(np.float32)[: round(duration_s * SAMPLE_RATE_HZ)]


def _pitch(rng: np.random.Generator, speech: Speech, cue: dict[str, float], timbre: Timbre, times: Array) -> Array:
    """Fundamental frequency in Hz at every sample."""
    start, end = float(speech.starts_s[0]), speech.end_s
    place = np.clip((times - start) / (end - start), 0, 1)
    accents = rng.uniform(-1, 1, len(speech.syllables))
    melody = np.interp(times, speech.starts_s + speech.lengths_s / 2, accents)
    shake = 1.2 * max(cue["tremor"], 0) * np.sin(2 * np.pi * 7.5 * times + rng.uniform(0, 6))
    semitones = cue["pitch_st"] + 0.6 * max(cue["range_st"], 0) * melody + cue["slope_st"] * (place - 0.5) + shake
    return np.asarray(np.clip(timbre.pitch_hz * 2 ** (semitones / 12), 70, 480))


def _pulse_times(rng: np.random.Generator, pitch: Array) -> Array:
    """Times of the glottal pulses, in seconds, slightly irregular."""
    turns = np.cumsum(pitch) / _RATE_HZ
    pulses = np.interp(np.arange(1, int(turns[-1])), turns, np.arange(len(pitch)) / _RATE_HZ)
    return pulses + rng.normal(0, 4e-5, len(pulses))


def _pulses(
    rng: np.random.Generator, pulses: Array, speech: Speech, cue: dict[str, float], timbre: Timbre, count: int
) -> Array:
    """Add up the response of the vocal tract to each pulse: damped sinusoids, one a formant."""
    pulses = pulses[(pulses > speech.starts_s[0]) & (pulses < speech.end_s)]
    first = np.ceil(pulses * _RATE_HZ).astype(np.int64)
    times = (first[:, None] + np.arange(int(_RESPONSE_S * _RATE_HZ))) / _RATE_HZ - pulses[:, None]
    formants = _tract(speech, pulses) * timbre.tract
    response = np.zeros_like(times)
    for k, (bandwidth, level_db) in enumerate(_FORMANTS):
        gain = 10 ** ((level_db + cue["brightness_db"] * k) / 20)
        ring = np.exp(-np.pi * bandwidth * times) * np.sin(2 * np.pi * formants[:, k, None] * times)
        response += gain * ring
    response *= rng.uniform(0.93, 1.07, (len(pulses), 1))
    places = np.minimum(first[:, None] + np.arange(times.shape[1]), count - 1)
    return np.bincount(places.ravel(), weights=response.ravel(), minlength=count).astype(np.float64)


def _tract(speech: Speech, times: Array) -> Array:
    """Formants (times, 4) in Hz, gliding from vowel to vowel."""
    knots, values = [], []
    for syllable, start, length in zip(speech.syllables, speech.starts_s, speech.lengths_s, strict=True):
        vowels = syllable.split(":")[1]
        knots += [start + 0.2 * length, start + 0.8 * length]
        values += [_VOWELS[vowels[0]], _VOWELS[vowels[-1]]]
    table = np.array(values, dtype=np.float32)
    gliding = [np.interp(times, knots, table[:, k]) for k in range(3)]
    return np.stack([*gliding, np.full(len(times), _FOURTH_HZ)], axis=1)


def _consonants(rng: np.random.Generator, speech: Speech, times: Array) -> Array:
    noise = np.zeros(len(times))
    for syllable, start in zip(speech.syllables, speech.starts_s, strict=True):
        centre, gain = _BURSTS[syllable[0]]
        length = 0.09 if syllable[0] == "s" else 0.03
        part = slice(int(start * _RATE_HZ), int((start + length) * _RATE_HZ))
        noise[part] += gain * _band(rng, part.stop - part.start, centre, 0.5 * centre)
    return noise


def _band(rng: np.random.Generator, count: int, centre_hz: float, width_hz: float) -> Array:
    """Noise of unit level about one frequency."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    spectrum *= np.exp(-np.square((np.fft.rfftfreq(count, 1 / _RATE_HZ) - centre_hz) / width_hz))
    noise = np.fft.irfft(spectrum, count)
    return noise / _level(noise)


def _level(signal: Array) -> float:
    """Root mean square where there is a signal."""
    return float(np.sqrt(np.square(signal[signal != 0]).mean()))


def _upsample(signal: Array) -> Array:
    """From the synthesis rate to the file's, by zero padding of the spectrum."""
    return np.fft.irfft(np.fft.rfft(signal), len(signal) * _UPSAMPLING) * _UPSAMPLING
