"""Clips of the synthetic corpus are real files of real-looking people, and the emotion is in both modalities."""

from itertools import product
from pathlib import Path

import av
import numpy as np
import pytest

from edge_aver.corpora.synthetic import write_clip
from edge_aver.corpora.synthetic.actors import actor_looks, actor_timbre
from edge_aver.corpora.synthetic.cues import FACE_CUES, VOICE_CUES, Variation, perform
from edge_aver.corpora.synthetic.voice import SAMPLE_RATE_HZ, plan_speech, synthesize
from edge_aver.media.decode import decode_clip
from edge_aver.spec import LABELS, Preprocessing

NEUTRAL, CALM, HAPPY, SAD, ANGRY, FEARFUL, DISGUST, SURPRISED = range(8)
CERTAIN = Variation(
    strength_sd=0, face_ambiguous=0, voice_ambiguous=0, face_noise_sd=0, voice_noise_sd=0, resting_voice_sd=0
)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """One clip of every emotion, by five actors of whom three are women, and of both sentences."""
    folder = tmp_path_factory.mktemp("clips")
    paths = []
    for emotion, actor in zip(range(len(LABELS)), (1, 2, 7, 8, 20, 1, 2, 20), strict=True):
        paths.append(folder / f"{actor}-{LABELS[emotion]}.mp4")
        write_clip(paths[-1], actor=actor, emotion=emotion, statement=1 + emotion % 2, intensity=1 + (emotion > 3))
    return paths


def frames_of(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def sound_of(path):
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


def test_files_are_h264_and_aac_of_the_length_and_size_promised(clips):
    for path in clips:
        with av.open(str(path)) as container:
            video, audio = container.streams.video[0], container.streams.audio[0]
            assert (video.codec_context.name, video.width, video.height) == ("h264", 320, 240)
            assert video.codec_context.pix_fmt == "yuv420p"
            assert (audio.codec_context.name, audio.sample_rate) == ("aac", 48_000)
        frames, sound = frames_of(path), sound_of(path)
        assert 3.0 <= len(frames) / 25 <= 4.5
        assert len(sound) / 48_000 == pytest.approx(len(frames) / 25, abs=0.05)


def test_a_second_of_near_silence_comes_before_the_sentence(clips):
    for path in clips:
        sound = sound_of(path)
        opening, sentence = sound[: int(0.6 * 48_000)], sound[int(1.1 * 48_000) : int(2.0 * 48_000)]
        assert np.sqrt(np.mean(opening**2)) < 10 ** (-55 / 20)
        assert np.sqrt(np.mean(sentence**2)) > 10 * np.sqrt(np.mean(opening**2))
        assert np.abs(sound).max() <= 1.0


def test_mtcnn_finds_one_face_and_it_is_the_head(clips):
    torch = pytest.importorskip("torch")
    facenet = pytest.importorskip("facenet_pytorch")
    detector = facenet.MTCNN(keep_all=True, device="cpu")
    probabilities = []
    for path in clips:
        frames = frames_of(path)
        for index in (5, 40, len(frames) - 5):
            with torch.inference_mode():
                boxes, found = detector.detect(frames[index])
            assert boxes is not None, (path.name, index)
            left, top, right, bottom = boxes[int(np.argmax(found))].astype(float)
            assert 140 < (left + right) / 2 < 180
            assert 90 < (top + bottom) / 2 < 140
            assert 90 < bottom - top < 150
            probabilities.append(float(np.max(found)))
    assert np.mean(np.array(probabilities) > 0.95) >= 0.95
    assert min(probabilities) > 0.9


def test_equal_arguments_give_equal_clips_and_others_do_not(tmp_path):
    def pictures_and_sound(name, **changes):
        path = tmp_path / name
        write_clip(path, **{"actor": 3, "emotion": HAPPY, **changes})
        return np.stack(frames_of(path)[:50]), sound_of(path)[: 2 * 48_000]

    first = pictures_and_sound("a.mp4")
    again = pictures_and_sound("b.mp4")
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    for change in ({"repetition": 2}, {"seed": 1}, {"statement": 2}, {"intensity": 2}):
        other = pictures_and_sound("c.mp4", **change)
        assert not np.array_equal(first[0], other[0]), change
        assert not np.array_equal(first[1], other[1]), change


def test_the_picture_moves_with_emotion_and_speech(clips):
    for path in clips:
        frames = np.stack(frames_of(path)).astype(np.int16)
        change = np.abs(frames[30:55].mean(axis=0) - frames[:12].mean(axis=0))
        face, wall = change[50:180, 100:220], change[10:60, 10:60]
        assert face.mean() > 2.5 * wall.mean()


def test_nothing_is_left_behind_where_writing_fails(tmp_path, monkeypatch):
    def out_of_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge_aver.corpora.synthetic.clip._encode", out_of_space)
    with pytest.raises(OSError, match="No space left"):
        write_clip(tmp_path / "a.mp4", actor=1, emotion=0)
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_the_folder_should_be_is_an_oserror(tmp_path):
    (tmp_path / "taken").write_text("not a folder")
    with pytest.raises(OSError, match="taken"):
        write_clip(tmp_path / "taken" / "a.mp4", actor=1, emotion=0)


def certain(emotion):
    return perform(np.random.default_rng(0), emotion=emotion, intensity=2, variation=CERTAIN)


def face_cue(emotion, name):
    return float(certain(emotion).face[FACE_CUES.index(name)])


def test_faces_show_the_emotions_as_people_do():
    assert max(LABELS, key=lambda label: face_cue(LABELS.index(label), "smile")) == "happy"
    assert max(LABELS, key=lambda label: face_cue(LABELS.index(label), "brow_raise")) == "surprised"
    assert max(LABELS, key=lambda label: face_cue(LABELS.index(label), "wrinkle")) == "disgust"
    assert min(LABELS, key=lambda label: face_cue(LABELS.index(label), "brow_tilt")) == "angry"
    assert max(LABELS, key=lambda label: face_cue(LABELS.index(label), "brow_tilt")) == "sad"


def spoken(emotion, actor):
    rng = np.random.default_rng(emotion)
    timbre = actor_timbre(actor, seed=0, variation=CERTAIN)
    voice = certain(emotion).voice + timbre.resting
    speech = plan_speech(rng, statement=1, voice=voice, start_s=0.8)
    return synthesize(rng, speech, timbre, duration_s=3.6), speech, timbre


@pytest.mark.parametrize(("emotion", "actor"), list(product((NEUTRAL, SAD, ANGRY, SURPRISED), (1, 2))))
def test_the_pitch_heard_is_the_pitch_performed(emotion, actor):
    librosa = pytest.importorskip("librosa")
    sound, speech, timbre = spoken(emotion, actor)
    inside = sound[int(speech.starts_s[0] * SAMPLE_RATE_HZ) : int(speech.end_s * SAMPLE_RATE_HZ)]
    heard = librosa.yin(inside, fmin=65, fmax=500, sr=SAMPLE_RATE_HZ, frame_length=4096)
    expected = timbre.pitch_hz * 2 ** (speech.voice[VOICE_CUES.index("pitch_st")] / 12)
    assert np.median(heard) == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("actor", [1, 2])
def test_anger_is_louder_and_sadness_softer_and_slower_than_neutral(actor):
    level = {e: float(np.sqrt(np.mean(spoken(e, actor)[0] ** 2))) for e in (NEUTRAL, SAD, ANGRY)}
    assert level[SAD] < 0.6 * level[NEUTRAL] < 0.6 * level[ANGRY] / 2
    length = {e: spoken(e, actor)[1].end_s for e in (NEUTRAL, SAD, FEARFUL)}
    assert length[FEARFUL] < length[NEUTRAL] < length[SAD]


def test_only_one_modality_of_a_clip_leans_to_another_emotion():
    sure = Variation(strength_sd=0, face_noise_sd=0, voice_noise_sd=0, face_ambiguous=0.5, voice_ambiguous=0.5)
    pure = certain(ANGRY)
    leans = []
    for seed in range(60):
        clip = perform(np.random.default_rng(seed), emotion=ANGRY, intensity=2, variation=sure)
        leans.append((not np.allclose(clip.face, pure.face), not np.allclose(clip.voice, pure.voice)))
    assert set(leans) == {(True, False), (False, True)}


def test_actors_are_persons_of_their_own(tmp_path: Path):
    skins = np.concatenate([actor_looks(actor, seed=0).skin for actor in range(1, 25)])
    assert len(np.unique(skins, axis=0)) == 24
    pitches = [actor_timbre(actor, seed=0).pitch_hz for actor in range(1, 25)]
    assert max(pitches[0::2]) < min(pitches[1::2])  # odd numbers are men


def test_an_enlarged_clip_shows_the_same_performance(tmp_path):
    small, large = tmp_path / "small.mp4", tmp_path / "large.mp4"
    write_clip(small, actor=3, emotion=4)
    write_clip(large, actor=3, emotion=4, enlarge=3)
    clips = [decode_clip(path, Preprocessing()) for path in (small, large)]
    assert (clips[1].pictures[5].height, clips[1].pictures[5].width) == (720, 960)
    shrunk = clips[1].pictures[5].scaled(240, 320).astype(int)
    assert np.abs(shrunk - clips[0].pictures[5].rgb()).mean() < 8
    np.testing.assert_array_equal(clips[0].speech, clips[1].speech)
