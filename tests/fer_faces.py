"""FER2013 as it is distributed, of made-up patterns: each emotion has another number of bars."""

import numpy as np
from composite_files import jpeg, write_zip

from edge_aver.corpora.fer2013 import EMOTIONS

CODES = {"angry": 0, "disgust": 1, "fear": 2, "happy": 3, "sad": 4, "surprise": 5, "neutral": 6}
"""Of the CSV file, which orders emotions in another way than folders do."""

USAGES = {"Training": "train", "PublicTest": "test", "PrivateTest": "test"}


def pattern(emotion, chance):
    """A face (48, 48) uint8 that tells its emotion by how many bars cross it: turned or mirrored it still does."""
    bars = np.sin(2 * np.pi * (EMOTIONS.index(emotion) + 1) * np.arange(48) / 48)
    return (127 + 90 * bars[:, None] + chance.normal(0, 15, (48, 48))).clip(0, 255).astype(np.uint8)


def faces(training=98, other=21, seed=0):
    """(usage, emotion, face) of every part, emotions in turn."""
    chance = np.random.default_rng(seed)
    counts = {"Training": training, "PublicTest": other, "PrivateTest": other}
    turns = [(usage, EMOTIONS[index % 7]) for usage, count in counts.items() for index in range(count)]
    return [(usage, emotion, pattern(emotion, chance)) for usage, emotion in turns]


def write_csv(path, members):
    """As Kaggle has it: emotion, pixels, Usage."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{CODES[emotion]},{' '.join(map(str, face.ravel()))},{usage}" for usage, emotion, face in members]
    path.write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")
    return path


def named(members):
    """JPEG files by the names of copies on the web."""
    return {
        f"{USAGES[usage]}/{emotion}/{usage}_{index}.jpg": jpeg(face)
        for index, (usage, emotion, face) in enumerate(members)
    }


def write_archive(path, members):
    """As a zip."""
    return write_zip(path, named(members))


def write_folder(path, members):
    """As a folder."""
    for name, data in named(members).items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path
