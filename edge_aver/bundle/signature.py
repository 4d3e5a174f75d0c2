"""Ed25519 signatures of a bundle's manifest; keys are PEM files, as `openssl genpkey -algorithm ed25519` makes them."""

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_aver.errors import ArtifactError, MissingLibraryError
from edge_aver.files import sha256_bytes

__all__ = ["SIGNATURE_BYTES", "check_signature", "key_fingerprint", "sign"]

SIGNATURE_BYTES = 64

_MAX_KEY_BYTES = 1 << 16


def sign(data: bytes, key: Path) -> bytes:
    """Sign with a private key (PKCS #8, PEM, without a password); the same data and key give the same 64 bytes.

    Raises:
        ArtifactError: the file holds no such key.
        MissingLibraryError: the library that signs is not installed.
    """
    signature: bytes = _private(key).sign(data)
    return signature


def key_fingerprint(key: Path) -> str:
    """SHA-256 of the public half of a private key, raw; raises as `sign`."""
    return _fingerprint(_private(key).public_key())


def check_signature(data: bytes, signature: bytes, key: Path) -> str:
    """Hold a signature against a public key (SubjectPublicKeyInfo, PEM).

    Returns:
        The key's fingerprint, as `key_fingerprint` gives it.

    Raises:
        ArtifactError: the file holds no such key, or the signature was made by another one or over other data.
        MissingLibraryError: the library that verifies is not installed.
    """
    public = _public(key)
    try:
        public.verify(signature, data)
    except importlib.import_module("cryptography.exceptions").InvalidSignature as error:
        raise ArtifactError(f"the signature was not made with the key of {key}, or not for this bundle") from error
    return _fingerprint(public)


def _private(path: Path) -> Any:
    serialization = _library("hazmat.primitives.serialization")
    return _load(
        path,
        lambda data: serialization.load_pem_private_key(data, password=None),
        _library("hazmat.primitives.asymmetric.ed25519").Ed25519PrivateKey,
        "private Ed25519 key without a password (openssl genpkey -algorithm ed25519 -out key.pem)",
    )


def _public(path: Path) -> Any:
    return _load(
        path,
        _library("hazmat.primitives.serialization").load_pem_public_key,
        _library("hazmat.primitives.asymmetric.ed25519").Ed25519PublicKey,
        "public Ed25519 key (openssl pkey -in key.pem -pubout -out public.pem)",
    )


def _load(path: Path, read: Callable[[bytes], Any], kind: type, wanted: str) -> Any:
    unsupported = _library("exceptions").UnsupportedAlgorithm
    try:
        with path.open("rb") as file:
            key = read(file.read(_MAX_KEY_BYTES))
    except FileNotFoundError as error:
        raise ArtifactError(f"{path}: no such key file") from error
    except (ValueError, TypeError, unsupported) as error:
        raise ArtifactError(f"{path}: not a {wanted}") from error
    if not isinstance(key, kind):
        raise ArtifactError(f"{path}: not a {wanted}")
    return key


def _fingerprint(public: Any) -> str:
    return sha256_bytes(public.public_bytes_raw())


def _library(module: str) -> Any:
    if importlib.util.find_spec("cryptography") is None:
        raise MissingLibraryError("cryptography", "sign", "signing bundles and checking their signatures")
    return importlib.import_module(f"cryptography.{module}")
