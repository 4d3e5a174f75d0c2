"""A font of 5 x 7 pixels, for what is written into annotated pictures: lower case, digits and a few signs."""

import numpy as np
import numpy.typing as npt

__all__ = ["text_mask"]

_ROWS, _COLUMNS = 7, 5

# Five columns a sign, the lowest bit at the top.
_SIGNS = {
    " ": "0000000000",
    "%": "2313086462",
    ".": "0060600000",
    "-": "0808080808",
    "0": "3E5149453E",
    "1": "00427F4000",
    "2": "4261514946",
    "3": "2141454B31",
    "4": "1814127F10",
    "5": "2745454539",
    "6": "3C4A494930",
    "7": "0171090503",
    "8": "3649494936",
    "9": "064949291E",
    "a": "2054545478",
    "b": "7F48444438",
    "c": "3844444420",
    "d": "384444487F",
    "e": "3854545418",
    "f": "087E090102",
    "g": "0C5252523E",
    "h": "7F08040478",
    "i": "00447D4000",
    "j": "2040443D00",
    "k": "7F10284400",
    "l": "00417F4000",
    "m": "7C04180478",
    "n": "7C08040478",
    "o": "3844444438",
    "p": "7C14141408",
    "q": "081414187C",
    "r": "7C08040408",
    "s": "4854545420",
    "t": "043F444020",
    "u": "3C4040207C",
    "v": "1C2040201C",
    "w": "3C4030403C",
    "x": "4428102844",
    "y": "0C5050503C",
    "z": "4464544C44",
}


def text_mask(text: str, scale: int) -> npt.NDArray[np.bool_]:
    """Where the strokes of a line of text are: (7 * scale, 6 * scale * len(text)); unknown signs are blank."""
    mask = np.zeros((_ROWS, (_COLUMNS + 1) * len(text)), dtype=np.bool_)
    for i, sign in enumerate(text.lower()):
        columns = np.frombuffer(bytes.fromhex(_SIGNS.get(sign, _SIGNS[" "])), dtype=np.uint8)
        mask[:, i * (_COLUMNS + 1) : i * (_COLUMNS + 1) + _COLUMNS] = columns[None] >> np.arange(_ROWS)[:, None] & 1
    return mask.repeat(scale, axis=0).repeat(scale, axis=1)
