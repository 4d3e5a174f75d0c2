"""Additions to a serialized ONNX model without `onnx`, which a device does not have.

Serialized protobuf messages concatenate: repeated fields of the appended bytes are added.
"""

from collections.abc import Mapping

__all__ = ["extra_outputs", "metadata_props"]


def metadata_props(metadata: Mapping[str, str]) -> bytes:
    """`ModelProto.metadata_props` entries, to be appended to a serialized model."""
    return b"".join(
        _field(14, _field(1, key.encode()) + _field(2, value.encode())) for key, value in sorted(metadata.items())
    )


def extra_outputs(names: tuple[str, ...]) -> bytes:
    """Further `ModelProto.graph.output` entries, types left to inference, to be appended to a serialized model."""
    return _field(7, b"".join(_field(12, _field(1, name.encode())) for name in names))


def _field(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    pieces = []
    while value > 0x7F:
        pieces.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*pieces, value])
