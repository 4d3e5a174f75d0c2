"""Clips that are not what one hopes for, as real files through the real detector, beside MTCNN of facenet-pytorch."""

import functools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from media_files import tone, turned, write_media

pytest.importorskip("torch", reason="the detector is exported on a workstation")
pytest.importorskip("facenet_pytorch", reason="carries the detector's weights: needs the extra reference")

from face_clips import CONSTANTS, SIZE, Watched, drawn, likeness, overlap, scene, write_scenes, write_still
from runtime_models import tiny_artifact

from edge_aver import cli
from edge_aver.errors import NoFaceError
from edge_aver.export.front_end import front_end_plan
from edge_aver.media.clip import require_face
from edge_aver.media.decode import decode_clip
from edge_aver.media.picture import Picture
from edge_aver.media.reference import MtcnnDetector

TIMES_S = np.array(CONSTANTS.frame_times_s())
GREEN = (20, 200, 40)


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    return front_end_plan(tmp_path_factory.mktemp("artifacts"))


@pytest.fixture(scope="module", params=["openvino", "onnxruntime"])
def front_end(request, plan):
    pytest.importorskip(request.param, reason=f"runtime {request.param} is not installed")
    return Watched(replace(plan, runtime=request.param).load_detector(2))


@pytest.fixture(scope="module")
def one_front_end(plan):
    """In the runtime that is preferred, for what does not depend on it."""
    return Watched(plan.load_detector(2))


@functools.cache
def reference():
    return MtcnnDetector()


def looked_at(front_end, image, path):
    """Box or None of a picture, the same in the file and as a bare image within what the codec changes."""
    tensors = front_end(write_still(path, image))
    assert tensors.face_found.all() or not tensors.face_found.any()
    assert tensors.faces.any(axis=(1, 2, 3)).tolist() == tensors.face_found.tolist()
    return front_end.boxes[0]


def agreement(front_end):
    """Intersection over union with the reference's boxes, on the very pictures of the last clip."""
    pictures = front_end.pictures
    if len({picture.frame.pts for picture in pictures}) == 1:
        return [overlap(box, reference().detect(pictures[:1])[0]) for box in front_end.boxes[:1]]
    return [overlap(*pair) for pair in zip(front_end.boxes, reference().detect(pictures), strict=True)]


# One face, wherever and however it is.

ONE_FACE = {
    "large": scene((drawn(0, 200), 60, 20)),
    "at the left edge": scene((drawn(0, 140), -40, 50)),
    "at the right edge": scene((drawn(0, 140), 220, 50)),
    "at the top": scene((drawn(2, 140), 100, -20)),
    "at the bottom": scene((drawn(2, 140), 100, 140)),
    "36 pixels": scene((drawn(1, 36), 150, 100)),
    "24 pixels": scene((drawn(2, 24), 40, 180)),
    "30 pixels of 720 rows": scene((drawn(1, 30), 900, 500), size=(720, 1280)),
    "turned away": scene((Picture.from_rgb(drawn(0, 120)).resized(120, 66), 100, 60)),
    "upright format": scene((drawn(1, 100), 30, 200), size=(480, 270)),
    "odd size": scene((drawn(1, 100), 30, 60), size=(241, 321)),
}


@pytest.mark.parametrize("name", ONE_FACE)
def test_a_face_is_found_where_the_reference_finds_it(front_end, tmp_path, name):
    pixel_format = "yuv444p" if name == "odd size" else "yuv420p"
    tensors = front_end(write_still(tmp_path / "clip.mp4", ONE_FACE[name], pixel_format=pixel_format))
    assert tensors.face_found.all()
    assert min(agreement(front_end)) >= 0.8


NO_FACE = {
    "black": scene(colour=(0, 0, 0)),
    "white": scene(colour=(255, 255, 255)),
    "noise": np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8),
    "half a face at the edge": scene((drawn(0, 140), -70, 50)),
    "a profile": scene((Picture.from_rgb(drawn(0, 120)).resized(120, 30), 100, 60)),
    "a face too small": scene((drawn(0, 10), 100, 60)),
    "a picture too small": scene(size=(18, 34)),
    "a narrow strip": scene(size=(24, 1200)),
}


@pytest.mark.parametrize("name", NO_FACE)
def test_where_no_face_is_seen_frames_are_black_and_the_clip_is_refused_in_one_line(front_end, tmp_path, name):
    tensors = front_end(write_still(tmp_path / "clip.mp4", NO_FACE[name]))
    assert not tensors.face_found.any()
    assert not tensors.faces.any()
    assert front_end.boxes == reference().detect(front_end.pictures) == [None] * 15
    with pytest.raises(NoFaceError) as caught:
        require_face(tensors, "clip.mp4")
    assert str(caught.value) == "clip.mp4: no face found in any of 15 frames"


def test_beyond_the_edge_a_crop_is_black(one_front_end, tmp_path):
    tensors = one_front_end(write_still(tmp_path / "clip.mp4", ONE_FACE["at the left edge"]))
    left, _, right, bottom = one_front_end.boxes[0]
    outside = round(-left / max(right - left, bottom - one_front_end.boxes[0][1]) * 224)
    assert outside > 30
    assert tensors.faces[0][:, : outside - 12].max() <= 2
    assert tensors.faces[0][40:180, outside + 12 :].mean() > 60


def test_a_mirror_image_gives_the_mirrored_box(front_end, tmp_path):
    image = scene((drawn(3, 120), 40, 60))
    left, top, right, bottom = looked_at(front_end, image, tmp_path / "clip.mp4")
    box = looked_at(front_end, np.ascontiguousarray(image[:, ::-1]), tmp_path / "mirrored.mp4")
    np.testing.assert_allclose(box, [320 - right, top, 320 - left, bottom], atol=8)


# Two faces.


def test_of_two_faces_the_most_probable_is_taken_in_every_frame(front_end, tmp_path):
    image = scene((drawn(2, 100), 20, 70), (drawn(3, 100), 200, 70))
    box = looked_at(front_end, image, tmp_path / "clip.mp4")
    assert min(agreement(front_end)) >= 0.8
    centres = [(box[0] + box[2]) / 2 > 160 for box in front_end.boxes]
    assert len(set(centres)) == 1
    np.testing.assert_array_equal(looked_at(front_end, image, tmp_path / "again.mp4"), box)
    mirrored = looked_at(front_end, np.ascontiguousarray(image[:, ::-1]), tmp_path / "mirrored.mp4")
    np.testing.assert_allclose(mirrored[[0, 2]], 320 - box[[2, 0]], atol=8)


def test_a_certain_large_face_is_taken_before_a_small_one(front_end, tmp_path):
    """The reference looks at all sizes first, and takes the small one, which its network finds more probable."""
    image = scene((drawn(3, 140), 10, 50), (drawn(4, 40), 240, 70))
    assert looked_at(front_end, image, tmp_path / "clip.mp4")[2] < 160
    assert reference().detect(front_end.pictures[:1])[0][0] > 160


def green_share(crop):
    """How much of a crop is not the face but the screen behind it."""
    return (np.abs(crop.astype(int) - GREEN).max(axis=2) < 40).mean()


# Faces that come, go and change from frame to frame.


def jumps():
    return [(drawn(i % 4, 90), 10 + 97 * i % 220, 5 + 61 * i % 140) for i in range(15)]


def leaves():
    return [None if i in (0, 1, 4, 5, 6, 7, 8, 12) else (drawn(1, 110), 100 + i, 60) for i in range(15)]


def cuts():
    return [(drawn(i // 4, side), 160 - side // 2, 120 - side // 2) for i, side in enumerate(sides())]


def sides():
    return [200] * 4 + [60] * 4 + [130] * 4 + [36] * 3


CHANGES = {"jumps": jumps, "leaves and returns": leaves, "is cut to another size": cuts}


@pytest.mark.parametrize("change", CHANGES)
def test_a_crop_never_shows_where_a_face_was_in_another_frame(front_end, tmp_path, change):
    placed = CHANGES[change]()
    images = [scene(*([] if face is None else [face]), colour=GREEN) for face in placed]
    tensors = front_end(write_scenes(tmp_path / "clip.mp4", images))
    assert tensors.face_found.tolist() == [face is not None for face in placed]
    assert min(agreement(front_end)) >= 0.75
    for crop, face in zip(tensors.faces, placed, strict=True):
        if face is None:
            assert not crop.any()
        else:
            assert green_share(crop) < 0.3


@pytest.mark.parametrize("rate", [10, 25, 60, Fraction(30_000, 1001), "varying"])
def test_a_moving_face_is_followed_at_any_frame_rate(one_front_end, tmp_path, rate):
    ticks = None
    if rate == "varying":
        rate, ticks = 50, [*range(0, 60), *range(60, 90, 6), *range(90, 120, 2), *range(120, 200)]
    times_s = np.array(ticks if ticks else range(round(4 * rate))) / float(rate)
    face = drawn(1, 90)
    pictures = [scene((face, round(10 + 50 * time_s), 70)) for time_s in times_s]
    path = write_media(tmp_path / "clip.mp4", pictures=pictures, rate=rate, ticks=ticks, sound=tone(4.0))
    assert one_front_end(path).face_found.all()
    centres = np.array([(box[0] + box[2]) / 2 for box in one_front_end.boxes])
    shown_s = times_s[np.abs(times_s - TIMES_S[:, None]).argmin(axis=1)]
    np.testing.assert_allclose(centres, 10 + 50 * shown_s + 45, atol=7)


@pytest.mark.parametrize(("rate", "found"), [(5, 1), (Fraction(1, 4), 15), (25, 0)])
def test_a_clip_of_one_picture_shows_it_for_as_long_as_it_lasts(one_front_end, tmp_path, rate, found):
    """At 25 pictures a second it ends before the first sampled time."""
    tensors = one_front_end(write_media(tmp_path / "clip.mp4", pictures=[ONE_FACE["large"]], rate=rate, sound=tone(4)))
    assert tensors.face_found.tolist() == [i < found for i in range(15)]
    assert not tensors.faces[found:].any()
    assert np.isfinite(tensors.audio).all()
    assert (own(tensors.audio, 30)[:-1] > 0).all()


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_a_rotated_phone_video_gives_what_the_upright_one_does(one_front_end, tmp_path, quarter_turns):
    image = scene((drawn(1, 110), 120, 40))
    upright = looked_at(one_front_end, image, tmp_path / "upright.mp4")
    expected = one_front_end(tmp_path / "upright.mp4").faces[0]
    lying = write_still(tmp_path / "lying.mp4", np.rot90(image, quarter_turns))
    lying.write_bytes(turned(lying.read_bytes(), quarter_turns))
    tensors = one_front_end(lying)
    assert tensors.face_found.all()
    assert overlap(one_front_end.boxes[0], upright) > 0.85
    assert likeness(tensors.faces[0], expected) > 0.9


def test_ten_bits_a_colour_give_the_same_face(one_front_end, tmp_path):
    expected = looked_at(one_front_end, ONE_FACE["large"], tmp_path / "clip.mp4")
    path = write_still(tmp_path / "deep.mp4", ONE_FACE["large"], pixel_format="yuv420p10le")
    assert one_front_end(path).face_found.all()
    assert overlap(one_front_end.boxes[0], expected) > 0.9


# 4K.


def test_a_4k_clip_is_searched_in_bounded_images_for_all_but_tiny_faces(plan, tmp_path):
    shapes = []
    detector = plan.load_detector(2)

    def measured(network):
        def infer(feed):
            shapes.append(feed["planes"].shape)
            return network(feed)

        return infer

    networks = vars(detector._networks)
    detector._networks = type(detector._networks)(**{name: measured(infer) for name, infer in networks.items()})
    front_end = Watched(detector)
    for side, found in ((420, True), (70, True), (24, False)):
        shapes.clear()
        image = scene((drawn(1, side), 2000, 900), size=(2160, 3840))
        box = looked_at(front_end, image, tmp_path / f"{side}.mp4")
        assert (box is not None) == found
        if found:
            assert overlap(box, reference().detect([Picture.from_rgb(image)])[0]) >= 0.8
        assert max(height * width for _, _, height, width in shapes) <= 720 * 1280
        assert max(count * height * width for count, _, height, width in shapes) <= 1_000_000


# Sound.

RATES_HZ = {"8 kHz": 8_000, "six channels": 48_000, "clipped": 44_100, "loud": 48_000}


def buzz(rate_hz, level):
    """Harmonics of 140 Hz."""
    return sum(tone(3.8, 140.0 * n, rate_hz=rate_hz, level=level / n) for n in range(1, 12))


def own(audio, column):
    """A column of each frame's own segment."""
    return audio[:, 32 * CONSTANTS.segment_offsets.index(0) + column]


@pytest.mark.parametrize("name", RATES_HZ)
def test_pitch_is_heard_in_sound_of_any_kind(one_front_end, tmp_path, name):
    rate_hz = RATES_HZ[name]
    sound = np.clip(buzz(rate_hz, 0.2 if name != "clipped" else 4.0), -1, 1)
    if name == "six channels":
        sound = np.stack([sound] * 6)
    path = write_still(tmp_path / "clip.mp4", ONE_FACE["36 pixels"], sound=sound, sound_rate_hz=rate_hz)
    audio = one_front_end(path).audio
    assert np.isfinite(audio).all()
    np.testing.assert_allclose(own(audio, 30), 140.0, atol=2)


def test_six_channels_count_a_sixth_each(one_front_end, tmp_path):
    quiet = np.zeros((6, round(3.8 * 48_000)), dtype=np.float32)
    quiet[2] = buzz(48_000, 0.3)
    energies = []
    for i, sound in enumerate((np.stack([quiet[2]] * 6), quiet)):
        path = write_still(tmp_path / f"{i}.mp4", ONE_FACE["36 pixels"], sound=sound, sound_rate_hz=48_000)
        energies.append(own(one_front_end(path).audio, 31))
    np.testing.assert_allclose(energies[0] - energies[1], 2 * np.log(6), atol=0.3)


def test_silence_is_unvoiced_and_has_the_energy_that_stands_for_nothing(one_front_end, tmp_path):
    silence = np.zeros(round(3.8 * 48_000), dtype=np.float32)
    tensors = one_front_end(write_still(tmp_path / "clip.mp4", ONE_FACE["large"], sound=silence))
    assert tensors.face_found.all()
    assert np.isfinite(tensors.audio).all()
    np.testing.assert_array_equal(own(tensors.audio, 30), 0)
    np.testing.assert_allclose(own(tensors.audio, 31), np.log(1e-10), rtol=1e-5)


# Real clips.


def real_clips(test_data):
    paths = sorted([*test_data.glob("ravdess/*/*.mp4"), *test_data.glob("ravdess-reconstructed/*.mp4")])
    assert len(paths) > 3
    return paths[:: len(paths) // 3]


def test_every_frame_of_real_clips_has_the_face_of_the_reference(front_end, test_data):
    for path in real_clips(test_data):
        tensors = front_end(path)
        assert tensors.face_found.sum() >= 13
        shares = agreement(front_end)
        assert min(shares) >= 0.75, path.name
        assert np.mean(shares) >= 0.9, path.name


def test_real_faces_that_leave_shrink_and_are_mirrored(front_end, test_data):
    pictures = [picture for picture in decode_clip(real_clips(test_data)[0], CONSTANTS).pictures if picture]
    empty = Picture.from_rgb(np.full((720, 1280, 3), 90, dtype=np.uint8))
    changed = []
    for i, picture in enumerate(pictures):
        small = scene((picture.scaled(240, 426), 60 * i, 300), size=(720, 1280))
        mirrored = Picture.from_rgb(np.ascontiguousarray(picture.rgb()[:, ::-1]))
        changed.append((picture, Picture.from_rgb(small), mirrored, empty)[i % 4])
    boxes, expected = front_end.detect(changed), reference().detect(changed)
    assert [box is None for box in boxes] == [i % 4 == 3 for i in range(len(boxes))]
    assert min(overlap(*pair) for pair in zip(boxes, expected, strict=True)) >= 0.75


# As a person meets it.


def test_run_takes_a_silent_clip_and_refuses_black_ones_in_one_line(tmp_path, capsys):
    workspace = tmp_path / "workspace"
    folder = workspace / "artifacts"
    folder.mkdir(parents=True)
    front_end_plan(folder)
    tiny_artifact(folder, target="openvino-cpu")
    silence = np.zeros(round(3.8 * 48_000), dtype=np.float32)
    good = write_still(tmp_path / "silent.mp4", ONE_FACE["36 pixels"], sound=silence)
    black = write_still(tmp_path / "black.mp4", NO_FACE["black"])
    brief = write_media(tmp_path / "brief.mp4", pictures=[ONE_FACE["large"]], sound=tone(0.1))
    capsys.readouterr()
    assert cli._run(["run", str(good), "--workspace", str(workspace)]) == 0
    assert capsys.readouterr().out.startswith("silent.mp4: ")
    for path in (black, brief):
        assert cli._run(["run", str(path), "--workspace", str(workspace)]) == 1
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err == f"error: {path}: no face found in any of 15 frames\n"
