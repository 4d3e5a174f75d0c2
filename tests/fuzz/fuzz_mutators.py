"""What damage and malice do to bytes, to a tree of JSON and to the lines of a TOML file; drawn from one seed."""

import copy
import json
import random
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence

Mutator = Callable[[random.Random, bytes], bytes]

INTERESTING = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 63)

HOSTILE_NAMES = (
    "../escaped",
    "../../escaped",
    "artifacts/../../escaped",
    "/escaped",
    "C:\\escaped",
    "..\\escaped",
    "a/" * 120 + "deep",
    "x" * 300,
    "nul\0byte",
    "line\nbreak",
    "\x1b[2J\x1b]0;title\x07",
    "‮gnp.exe",
    "é" * 40,
    "con",
    ".hidden",
    "~",
    "$HOME/escaped",
    "%2e%2e/escaped",
    "",
    ".",
    "..",
)


def _place(rng: random.Random, data: bytes, longest: int = 4096) -> tuple[int, int]:
    at = rng.randrange(len(data) + 1)
    return at, min(len(data), at + rng.randint(1, longest))


def flip_bits(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 64, 512))):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def overwrite(rng: random.Random, data: bytes) -> bytes:
    begin, end = _place(rng, data, 64)
    return data[:begin] + rng.randbytes(end - begin) + data[end:]


def truncate(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def behead(rng: random.Random, data: bytes) -> bytes:
    return data[rng.randrange(len(data) + 1) :]


def cut_out(rng: random.Random, data: bytes) -> bytes:
    begin, end = _place(rng, data)
    return data[:begin] + data[end:]


def duplicate(rng: random.Random, data: bytes) -> bytes:
    begin, end = _place(rng, data)
    return data[:end] + data[begin:end] * rng.choice((1, 1, 3, 20)) + data[end:]


def swap(rng: random.Random, data: bytes) -> bytes:
    begin, end = _place(rng, data, 512)
    at = rng.randrange(len(data) + 1)
    rest = data[:begin] + data[end:]
    return rest[:at] + data[begin:end] + rest[at:]


def fill(rng: random.Random, data: bytes) -> bytes:
    begin, end = _place(rng, data)
    return data[:begin] + rng.choice((b"\0", b"\xff")) * (end - begin) + data[end:]


def append(rng: random.Random, data: bytes) -> bytes:
    return data + rng.randbytes(rng.choice((1, 16, 4096)))


def edit_head(rng: random.Random, data: bytes) -> bytes:
    """A number in the first half kilobyte, where most formats keep what they promise."""
    return _put_number(rng, data, 0, min(512, len(data)))


def _put_number(rng: random.Random, data: bytes, begin: int, end: int) -> bytes:
    size = rng.choice((1, 2, 4, 8))
    if end - begin < size:
        return data
    at = rng.randrange(begin, end - size + 1)
    value = rng.choice((*INTERESTING, rng.getrandbits(64))) % (1 << 8 * size)
    return data[:at] + value.to_bytes(size, rng.choice(("big", "little"))) + data[at + size :]


BYTES: Sequence[Mutator] = (
    flip_bits, overwrite, truncate, behead, cut_out, duplicate, swap, fill, append, edit_head,
)  # fmt: skip


def mutated_bytes(
    rng: random.Random, data: bytes, others: Sequence[bytes] = (), extra: Sequence[Mutator] = ()
) -> bytes:
    """One to three changes; never the same bytes as before."""

    def splice(rng: random.Random, data: bytes) -> bytes:
        other = rng.choice(others)
        return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]

    known = [*BYTES, *(extra * 4), *([splice] if others else [])]
    result = data
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        result = rng.choice(known)(rng, result)
    return flip_bits(rng, data) if result == data else result


# MP4


_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"moof", b"traf", b"mvex", b"udta"}


def _boxes(data: bytes, begin: int, end: int) -> Iterator[tuple[int, int, bytes]]:
    """Begin, end and type of every box, however deep; those whose sizes make no sense end the walk."""
    while begin + 8 <= end:
        size, kind = struct.unpack(">L4s", data[begin : begin + 8])
        if size < 8 or begin + size > end:
            return
        yield begin, begin + size, kind
        if kind in _CONTAINERS:
            yield from _boxes(data, begin + 8, begin + size)
        begin += size


def edit_box(rng: random.Random, data: bytes) -> bytes:
    """A field, the size or the type of a box of an MP4, or a box taken out or doubled."""
    boxes = [box for box in _boxes(data, 0, len(data)) if box[2] != b"mdat"]
    if not boxes:
        return edit_head(rng, data)
    begin, end, _ = rng.choice(boxes)
    how = rng.random()
    if how < 0.7:
        return _put_number(rng, data, begin + 8, end)
    if how < 0.8:
        return _put_number(rng, data, begin, begin + 4)
    if how < 0.87:
        return (
            data[: begin + 4] + rng.choice((b"free", b"moov", b"trak", b"stsd", rng.randbytes(4))) + data[begin + 8 :]
        )
    return data[:begin] + data[end:] if how < 0.94 else data[:end] + data[begin:end] + data[end:]


# Zip


_RECORDS = {b"PK\3\4": 30, b"PK\1\2": 46, b"PK\5\6": 22}


def edit_record(rng: random.Random, data: bytes) -> bytes:
    """A field or the name in a header of a zip: sizes, checksums, offsets, attributes, counts."""
    places = [
        (at, size) for magic, size in _RECORDS.items() for at in _find(data, magic) if at + size <= len(data)
    ]  # fmt: skip
    if not places:
        return edit_head(rng, data)
    at, size = rng.choice(places)
    if rng.random() < 0.25 and data[at : at + 4] != b"PK\5\6":
        length = struct.unpack("<H", data[at + size - (4 if size == 30 else 18) :][:2])[0]
        name = rng.choice(HOSTILE_NAMES).encode()[:length].ljust(length, b"x")
        return data[: at + size] + name + data[at + size + length :]
    return _put_number(rng, data, at + 4, at + size)


def _find(data: bytes, magic: bytes) -> Iterator[int]:
    at = data.find(magic)
    while at >= 0:
        yield at
        at = data.find(magic, at + 1)


def foreign_members(rng: random.Random, members: dict[str, bytes]) -> tuple[list[tuple[str, bytes, int]], int]:
    """The members with something that no bundle has, and the compression, for a zip by Python's own library."""
    listed = [(name, data, 0o100644) for name, data in members.items()]
    at = rng.randrange(len(listed))
    name, data, _ = listed[at]
    how = rng.randrange(6)
    if how == 0:
        listed[at] = (rng.choice(HOSTILE_NAMES), data, 0o100644)
    elif how == 1:
        listed.append((rng.choice(HOSTILE_NAMES), data, 0o100644))
    elif how == 2:
        listed[at] = (name, b"../../escaped", 0o120777)
    elif how == 3:
        listed.append((name.upper(), data, 0o100644))
    elif how == 4:
        rng.shuffle(listed)
    return listed, zipfile.ZIP_DEFLATED if how == 5 else zipfile.ZIP_STORED


# JSON


def _deep(depth: int, kind: str) -> str:
    return "[" * depth + "]" * depth if kind == "list" else '{"a":' * depth + "1" + "}" * depth


_RAW = {"@deep0": _deep(100, "list"), "@deep1": _deep(60_000, "list"), "@deep2": _deep(60_000, "table")} | {
    f"@raw{i}": text
    for i, text in enumerate(
        ("NaN", "Infinity", "-Infinity", "1e999", "9" * 6000, "-0", "1E-400", '"\\ud800"', '"\\u0000"')
    )
}
"""Stand for text that Python's writer of JSON would not write, or not at that depth."""

_VALUES = (
    None, True, False, 0, 1, -1, 1 << 31, 1 << 63, -(1 << 63), 10**300, 0.5, -1e308, "", "x", "0", "1e9", "true",
    "x" * 100_000, [], {}, [[]], [None], {"": None}, [0] * 5000, "\x1b[31mred\x07", "a\nb\r\tc", "\x00", "‮", *_RAW,
    *HOSTILE_NAMES,
)  # fmt: skip


def mutated_tree(rng: random.Random, tree: object) -> object:
    """A tree of JSON with one to three of its values, keys or entries changed."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = list(_places(tree))
        if not places:
            return rng.choice(_VALUES)
        holder, key = rng.choice(places)
        how = rng.random()
        if how < 0.6:
            holder[key] = copy.deepcopy(rng.choice(_VALUES))
        elif how < 0.72:
            del holder[key]
        elif how < 0.8 and isinstance(holder, dict):
            holder[rng.choice(("unknown", *HOSTILE_NAMES))] = holder.pop(key)
        elif how < 0.86 and isinstance(holder, dict):
            holder[rng.choice(("unknown", "__class__", *HOSTILE_NAMES))] = rng.choice(_VALUES)
        elif how < 0.93:
            other, at = rng.choice(places)
            if at in other if isinstance(other, dict) else at < len(other):
                holder[key] = copy.deepcopy(other[at])
        elif isinstance(holder[key], (int, float)) and not isinstance(holder[key], bool):
            holder[key] = holder[key] * rng.choice((-1, 0, 2, 1000, 1 << 40))
    return rng.choice(_VALUES) if rng.random() < 0.02 else tree


def _places(tree: object) -> Iterator[tuple[object, object]]:
    if isinstance(tree, (dict, list)):
        for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
            yield tree, key
            yield from _places(tree[key])


def json_bytes(tree: object) -> bytes:
    """The tree as `json_text` writes it, where it can be; with what stands for raw text put in."""
    text = json.dumps(tree, indent=1, sort_keys=True, default=str) + "\n"
    for mark, raw in _RAW.items():
        text = text.replace(f'"{mark}"', raw)
    return text.encode("utf-8", errors="surrogatepass")


def mutated_json(rng: random.Random, data: bytes) -> bytes:
    """A JSON file changed as a tree, or as text."""
    how = rng.random()
    if how < 0.75:
        changed = json_bytes(mutated_tree(rng, json.loads(data)))
        return changed if changed != data else data + b"x"
    if how < 0.8:
        text = data.decode()
        return rng.choice(
            (b"\xef\xbb\xbf" + data, text.encode("utf-16"), data + data, b"", b"\0" * 100, data[:-2] + b",}")
        )
    return mutated_bytes(rng, data)


# TOML


_LITERALS = (
    "nan", "inf", "-inf", "-1", "0", "1e400", "9" * 5000, "0x" + "f" * 40, "true", '""', '"\\u0000"', '"\\u001b[2J"',
    "[]", "{}", "[" * 200 + "]" * 200, "[" * 5000 + "]" * 5000, "{a=" * 3000 + "1" + "}" * 3000, "1979-05-27",
    "07:32:00", '"../../escaped"', '"' + "x" * 50_000 + '"', "[1, 'a', nan]", '["x"]', "{ x = 1 }", "'''\n\x1b'''",
)  # fmt: skip


def mutated_toml(rng: random.Random, data: bytes) -> bytes:
    """A TOML file changed line by line, or as bytes."""
    if rng.random() < 0.2:
        return mutated_bytes(rng, data)
    lines = data.decode().split("\n")
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(lines))
        key, equals, _ = lines[at].partition("=")
        how = rng.random()
        if how < 0.55 and equals:
            lines[at] = f"{key}= {rng.choice(_LITERALS)}"
        elif how < 0.65:
            del lines[at]
        elif how < 0.75:
            lines.insert(at, lines[at])
        elif how < 0.85:
            lines.insert(at, f"{rng.choice(('unknown', 'a.b.c', 'name', '[[x]]', '[name]'))} = {rng.choice(_LITERALS)}")
        elif how < 0.92:
            lines[at] = lines[at].replace("=", rng.choice(("==", ":", "", "= =")))
        else:
            lines.insert(at, rng.choice(("[x]", "[[x]]", "[" + "a." * 3000 + "b]", "\x00", "# \x1b", "]")))
        lines = lines or [""]
    changed = "\n".join(lines).encode()
    return changed if changed != data else data + b"\nunknown = 1\n"
