"""What the mutators start from: small media files, bundles and sidecars, the same bytes each time they are made."""

import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
from face_clips import drawn, scene
from media_files import moving, tone, voice, write_media
from runtime_models import tiny_artifact

from edge_aver.bundle.archive import open_archive, read_member
from edge_aver.declarations import declaration_path, shipped_names
from edge_aver.runtime.make_bundle import make_bundle

TARGETS = ("onnxruntime-cpu", "openvino-cpu")
DECLARATIONS = ("benchmarks/suites", "calibration/folds", "export/recipes", "targets/devices")

_SAME = {"fflags": "+bitexact"}
_ONE_THREAD = {"threads": "1", "flags": "+bitexact"}

_MEDIA = (
    ("front.mp4", {"container_options": {"movflags": "faststart"}}),
    ("back.mp4", {"container_options": {}, "b_frames": 2, "key_every": 8}),
    ("parts.mp4", {"container_options": {"movflags": "frag_keyframe+empty_moov"}, "key_every": 8}),
    ("hevc.mp4", {"codec": "libx265", "codec_options": {"x265-params": "log-level=none:pools=none:frame-threads=1"}}),
    ("mjpeg.mov", {"codec": "mjpeg", "pixel_format": "yuvj420p", "codec_options": {}, "sound_codec": "pcm_s16le"}),
    ("flac.mkv", {"sound_codec": "flac"}),
    ("vp9.webm", {"codec": "libvpx-vp9", "codec_options": {"cpu-used": "8"}, "sound_codec": "libopus"}),
    ("mpeg4.avi", {"codec": "mpeg4", "codec_options": {}, "sound_codec": "libmp3lame"}),
    ("stream.ts", {}),
    ("mpeg2.mpg", {"codec": "mpeg2video", "codec_options": {}, "sound_codec": "mp2", "rate": 25}),
    ("flash.flv", {"sound_codec": "libmp3lame", "sound_rate_hz": 44_100}),
)
_SOUNDS = (("voice.wav", "pcm_s16le"), ("voice.flac", "flac"))
FACES = "faces.mp4"
"""The one that shows a face: for the real detector."""


def make_base(folder: Path) -> Path:
    """Make everything below `folder`: `media`, `artifacts`, `bundles` and `declarations`."""
    _make_media(folder / "media")
    _make_bundle(folder)
    for kind in DECLARATIONS:
        for name in shipped_names(kind):
            place = folder / "declarations" / kind / f"{name}.toml"
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(declaration_path(kind, name), place)
    return folder


def members_of(bundle: Path) -> dict[str, bytes]:
    """The members of a bundle and what they hold."""
    with open_archive(bundle) as (file, members):
        return {member.name: b"".join(read_member(file, member)) for member in members}


def _make_media(folder: Path) -> None:
    folder.mkdir(parents=True)
    pictures = [moving(number, height=48, width=64) for number in range(32)]
    for name, options in _MEDIA:
        rate = options.get("rate", 8)
        _write(folder / name, pictures=pictures * (rate // 8), **{"rate": rate, **options})
    face = scene((drawn(0, 60), 20, 10), size=(80, 96))
    _write(folder / FACES, pictures=[np.roll(face, number, axis=1) for number in range(32)], rate=8)
    for name, codec in _SOUNDS:
        write_media(folder / name, sound=voice(), sound_rate_hz=16_000, sound_codec=codec, container_options=_SAME)


def _write(path: Path, **options: object) -> None:
    own = {**_SAME, **options.pop("container_options", {})}
    codec_options = options.pop(
        "codec_options", {"bf": str(options.get("b_frames", 0)), "g": "16", "preset": "veryfast"}
    )
    rate_hz = options.setdefault("sound_rate_hz", 16_000 if path.suffix != ".webm" else 48_000)
    if options.get("sound_codec") == "mp2":
        rate_hz = options["sound_rate_hz"] = 44_100
    sound = tone(4.0, rate_hz=rate_hz)
    options["rate"] = Fraction(options["rate"])
    write_media(path, sound=sound, codec_options={**codec_options, **_ONE_THREAD}, container_options=own, **options)


def _make_bundle(folder: Path) -> None:
    from edge_aver.export.detector import ensure_detector  # brings PyTorch, which workers do without

    artifacts = folder / "artifacts"
    artifacts.mkdir(parents=True)
    ensure_detector(artifacts)
    made = [tiny_artifact(artifacts, target=target) for target in TARGETS]
    for path in artifacts.glob(".lowered*"):
        path.unlink()
    (folder / "bundles").mkdir()
    make_bundle([made[0].path], folder / "bundles" / "one.aver")
    make_bundle([item.path for item in made], folder / "bundles" / "both.aver")
