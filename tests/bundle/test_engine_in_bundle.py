"""An engine of TensorRT-RTX in a bundle: it is code, so every byte of it is vouched for before it may be loaded."""

import random
import shutil

import pytest

pytest.importorskip("onnx", reason="onnx builds the graph of the engine")

from bundles import MEMBERS
from trt_graphs import NEEDS_RTX, engine_artifact

from edge_aver.bundle import open_bundle, sidecar_path, unpack, write_bundle
from edge_aver.bundle.archive import open_archive, read_member
from edge_aver.errors import ArtifactError
from edge_aver.targets.trt_check import check_plan, read_plan

pytestmark = NEEDS_RTX

FLIPS = 400
"""Of bytes of the engine, here and there; of all that is not its content every byte is flipped."""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGE_AVER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "bundles"


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    return engine_artifact(tmp_path_factory.mktemp("engine"))


def bundled(engine, path, *, data=None, key=None):
    name = f"artifacts/{engine.path.name}"
    members = {"golden/clip.mp4": MEMBERS["golden/clip.mp4"], name: data or engine.path}
    write_bundle(path, members | {f"{name}.json": sidecar_path(engine.path)}, (engine.path.name,), key=key)
    return path


def refused(path, **options):
    with pytest.raises(ArtifactError), open_bundle(path, **options) as bundle:
        bundle.check()


def test_every_flipped_byte_is_found(engine, tmp_path, keys):
    path = bundled(engine, tmp_path / "x.aver", key=keys / "me.pem")
    with open_archive(path) as (_, members):
        (place,) = [range(item.offset, item.offset + item.size) for item in members if item.name.endswith(".engine")]
    data = bytearray(path.read_bytes())
    here_and_there = {place[0], place[-1], *random.Random(0).sample(place, FLIPS)}
    around = set(range(len(data))) - set(place)
    assert len(around) > 1_000
    with path.open("r+b", buffering=0) as file:
        for at in sorted(here_and_there | around):
            file.seek(at)
            file.write(bytes([data[at] ^ 1 << at % 8]))
            refused(path)
            file.seek(at)
            file.write(data[at : at + 1])
    with open_bundle(path, key=keys / "me.pub") as bundle:
        bundle.check()


def test_an_engine_of_a_verified_bundle_may_be_loaded(engine, tmp_path, keys):
    library = pytest.importorskip("tensorrt_rtx")
    path = bundled(engine, tmp_path / "x.aver", key=keys / "me.pem")
    (unpacked,) = unpack(path, key=keys / "me.pub").artifacts
    plan, artifact = read_plan(unpacked, trust=False)
    assert plan == engine.path.read_bytes()
    assert check_plan(plan, unpacked, artifact, library).capabilities == ("8.9",)


def test_an_engine_of_a_bundle_that_is_not_verified_never_reaches_the_disk(engine, tmp_path, keys, cache):
    path = bundled(engine, tmp_path / "x.aver", key=keys / "me.pem")
    whole = path.read_bytes()
    at = whole.index(engine.path.read_bytes()[:64]) + 1000
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
    with pytest.raises(ArtifactError, match=r"\.engine: damaged"):
        unpack(path)
    assert not list(cache.rglob("*.engine"))


def test_another_engine_with_every_hash_made_right_again_needs_the_key(engine, tmp_path, keys):
    other = bundled(engine, tmp_path / "x.aver", data=b"evil" + engine.path.read_bytes(), key=keys / "you.pem")
    refused(other, key=keys / "me.pub")
    (unpacked,) = unpack(other).artifacts
    with pytest.raises(ArtifactError, match=r"not the file its sidecar describes.*An engine is code"):
        read_plan(unpacked, trust=False)


def test_an_engine_changed_in_the_cache_is_put_right_before_it_is_loaded(engine, tmp_path):
    path = bundled(engine, tmp_path / "x.aver")
    (unpacked,) = unpack(path).artifacts
    unpacked.write_bytes(b"evil" + unpacked.read_bytes())
    with pytest.raises(ArtifactError, match="An engine is code"):
        read_plan(unpacked, trust=False)
    assert unpack(path).artifacts == (unpacked,)
    assert read_plan(unpacked, trust=False)[0] == engine.path.read_bytes()


def test_an_engine_taken_out_by_hand_has_nobody_to_vouch_for_it(engine, tmp_path):
    path = bundled(engine, tmp_path / "x.aver")
    with open_archive(path) as (file, members):
        (item,) = [item for item in members if item.name.endswith(".engine")]
        alone = tmp_path / "alone.engine"
        alone.write_bytes(b"".join(read_member(file, item)))
    with pytest.raises(ArtifactError, match=r"has no sidecar.*An engine is code"):
        read_plan(alone, trust=False)
    shutil.copy(sidecar_path(engine.path), sidecar_path(alone))
    assert read_plan(alone, trust=False)[0] == alone.read_bytes()
    alone.write_bytes(alone.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match="An engine is code"):
        read_plan(alone, trust=False)
