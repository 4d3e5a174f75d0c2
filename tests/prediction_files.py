"""CSV files of predictions, as a person would write them."""

from collections.abc import Iterable
from pathlib import Path

from edge_aver.spec import LABELS


def clip_name(actor: int, index: int) -> str:
    """A RAVDESS name; `index` below 60 counts an actor's clips, eight emotions in turn."""
    emotion, intensity, statement, repetition = index % 8, index // 8 % 2, index // 16 % 2, index // 32 % 2
    return f"01-01-{emotion + 1:02}-{intensity + 1:02}-{statement + 1:02}-{repetition + 1:02}-{actor:02}"


def write_predictions(
    path: Path, *, actors: int = 24, clips: int = 60, wrong: Iterable[tuple[int, int]] = (), said: int = 1
) -> Path:
    """Predictions of `clips` clips of each actor, all right but those of `wrong` (actor from 1, clip from 0).

    A wrong answer is the emotion `said` places after the true one.
    """
    wrong = set(wrong)
    lines = ["clip,label,prediction"]
    for actor in range(1, actors + 1):
        for index in range(clips):
            answer = LABELS[(index + said * ((actor, index) in wrong)) % 8]
            lines.append(f"{clip_name(actor, index)},{LABELS[index % 8]},{answer}")
    return write_lines(path, *lines)


def write_lines(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
