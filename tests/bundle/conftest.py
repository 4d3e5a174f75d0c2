"""Keys that tests of bundles sign with."""

import subprocess

import pytest


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    """A private key of each of two people, and the public ones, as openssl makes them."""
    pytest.importorskip("cryptography", reason="signing needs the extra sign")
    folder = tmp_path_factory.mktemp("keys")
    for who in ("me", "you"):
        private, public = folder / f"{who}.pem", folder / f"{who}.pub"
        try:
            subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True)
        except FileNotFoundError:
            pytest.skip("openssl makes the keys of this test")
        subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    return folder
