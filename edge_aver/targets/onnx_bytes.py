"""Additions to a serialized ONNX model without `onnx`, which a device does not have.

Serialized protobuf messages concatenate: repeated fields of the appended bytes are added.
"""

from collections.abc import Mapping

__all__ = ["extra_outputs", "metadata_props"]

_ELEMENT_TYPES = {"float32": 1, "float16": 10}
"""Of `TensorProto.DataType`."""


def metadata_props(metadata: Mapping[str, str]) -> bytes:
    """`ModelProto.metadata_props` entries, to be appended to a serialized model."""
    return b"".join(
        _field(14, _field(1, key.encode()) + _field(2, value.encode())) for key, value in sorted(metadata.items())
    )


def extra_outputs(kinds: Mapping[str, str | None]) -> bytes:
    """Further `ModelProto.graph.output` entries, to be appended to a serialized model.

    Args:
        kinds: `float32` or `float16` by tensor; None leaves the type to inference, which TensorRT does not do.
    """
    return _field(7, b"".join(_field(12, _field(1, name.encode()) + _type(kind)) for name, kind in kinds.items()))


def _type(kind: str | None) -> bytes:
    """`ValueInfoProto.type` of a tensor of any shape."""
    return b"" if kind is None else _field(2, _field(1, _varint(1 << 3) + _varint(_ELEMENT_TYPES[kind])))


def _field(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    pieces = []
    while value > 0x7F:
        pieces.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*pieces, value])
