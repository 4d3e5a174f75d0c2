import json

import pytest

from edge_aver.bundle import open_detector, write_detector
from edge_aver.errors import ArtifactError

NETWORKS = {"pnet": b"first", "rnet": b"second", "onet": b"third"}


@pytest.fixture
def path(tmp_path):
    write_detector(tmp_path / "detector", NETWORKS, "somewhere (MIT)")
    return tmp_path / "detector"


def test_a_detector_reads_back_as_it_was_written(path):
    detector = open_detector(path)
    assert detector.source == "somewhere (MIT)"
    assert {name: detector.network(name).read_bytes() for name in NETWORKS} == NETWORKS


def test_other_weights_have_another_digest(path, tmp_path):
    write_detector(tmp_path / "other", NETWORKS | {"onet": b"fourth"}, "somewhere (MIT)")
    assert open_detector(path).digest() != open_detector(tmp_path / "other").digest()


@pytest.mark.parametrize("damage", [lambda file: file.write_bytes(b"secund"), lambda file: file.unlink()])
def test_a_changed_or_missing_network_is_refused_by_name(path, damage):
    damage(path / "rnet.onnx")
    with pytest.raises(ArtifactError, match=r"rnet\.onnx: missing, or not the file that was exported"):
        open_detector(path)


def test_no_detector_is_told_with_what_to_do(tmp_path):
    with pytest.raises(ArtifactError, match="no face detector here; export or prepare again"):
        open_detector(tmp_path / "nothing")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format_version": 2, "source": "", "files": {}}'])
def test_a_card_that_cannot_be_read_is_refused(path, text):
    (path / "detector.json").write_text(text)
    with pytest.raises(ArtifactError, match=r"detector\.json: cannot be read"):
        open_detector(path)


def test_a_later_format_is_named(path):
    card = json.loads((path / "detector.json").read_text())
    (path / "detector.json").write_text(json.dumps(card | {"format_version": 2}))
    with pytest.raises(ArtifactError, match="format_version 2, this edge-aver reads 1"):
        open_detector(path)
