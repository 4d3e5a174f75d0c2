import numpy as np
import onnx
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="the detector is exported on a workstation")
facenet_pytorch = pytest.importorskip("facenet_pytorch", reason="carries the weights: needs the extra reference")

from facenet_pytorch.models.mtcnn import ONet, PNet, RNet  # noqa: E402

from edge_aver.bundle import DETECTOR_FOLDER, open_detector  # noqa: E402
from edge_aver.errors import MissingLibraryError  # noqa: E402
from edge_aver.export import detector as module  # noqa: E402
from edge_aver.export.detector import ensure_detector, export_detector  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("detector") / DETECTOR_FOLDER
    export_detector(path)
    return path


def run(path, **feed):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return dict(zip([item.name for item in session.get_outputs()], session.run(None, feed), strict=True))


def images(*size):
    return np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)


def pixels(pictures):
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2), dtype=np.float32)


def planes(pictures):
    return (torch.from_numpy(pixels(pictures)) - 127.5) / 128


def test_proposals_are_those_of_facenet(folder):
    pictures = images(2, 61, 90)
    got = run(folder / "pnet.onnx", planes=pixels(pictures))
    with torch.inference_mode():
        offsets, pairs = PNet()(planes(pictures))
    np.testing.assert_allclose(got["probability"], pairs[:, 1].numpy(), atol=1e-5)
    np.testing.assert_allclose(got["offsets"], offsets.numpy(), atol=1e-5)


@pytest.mark.parametrize(("name", "network", "side"), [("rnet", RNet, 24), ("onet", ONet, 48)])
def test_candidates_are_judged_as_by_facenet(folder, name, network, side):
    # Boxes of the network's own size, on whole pixels and far from the edges: then cutting them out changes no value,
    # except that each bin averages its four sample points.
    pictures = images(3, 130, 140)
    boxes = np.array([[20, 30], [61, 40], [33, 52]], dtype=np.float32)
    boxes = np.concatenate([boxes, boxes + side], axis=1)
    owners = np.array([2, 0, 1])
    got = run(folder / f"{name}.onnx", planes=pixels(pictures), boxes=boxes, owners=owners)
    crops = torch.stack([averaged(pictures[o], box) for o, box in zip(owners, boxes.astype(int), strict=True)])
    with torch.inference_mode():
        answer = network()(crops)
    np.testing.assert_allclose(got["probability"], answer[-1][:, 1].numpy(), atol=1e-4)
    np.testing.assert_allclose(got["offsets"], answer[0].numpy(), atol=1e-4)


def averaged(picture, box):
    """The crop as two by two points a pixel see it: a quarter off its centre each way, bilinear."""
    left, top, right, bottom = box
    area = planes(picture[None])[0]
    kernel = torch.tensor([0.125, 0.75, 0.125])
    blurred = torch.nn.functional.conv2d(area[:, None], (kernel[:, None] * kernel)[None, None], padding=1)[:, 0]
    return blurred[:, top:bottom, left:right]


def test_a_box_is_cut_out_where_it_lies(folder):
    picture = np.zeros((1, 100, 100, 3), dtype=np.uint8)
    inside, outside = np.array([[10, 20, 58, 68]], dtype=np.float32), np.array([[50, 50, 98, 98]], dtype=np.float32)
    picture[0, 20:68, 10:58] = images(48, 48)
    moved = np.roll(picture, (30, 40), axis=(1, 2))
    owner = np.zeros(1, dtype=np.int64)
    here = run(folder / "onet.onnx", planes=pixels(picture), boxes=inside, owners=owner)
    there = run(folder / "onet.onnx", planes=pixels(moved), boxes=outside, owners=owner)
    np.testing.assert_allclose(here["offsets"], there["offsets"], atol=1e-5)
    elsewhere = run(folder / "onet.onnx", planes=pixels(picture), boxes=outside, owners=owner)
    assert np.abs(elsewhere["offsets"] - here["offsets"]).max() > 1e-3


def test_equal_weights_give_equal_bytes(folder, tmp_path):
    export_detector(tmp_path / "again")
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_files_name_no_machine_and_say_where_the_weights_come_from(folder):
    detector = open_detector(folder)
    assert detector.source.startswith("facenet-pytorch 2.5")
    assert "MIT" in detector.source
    assert {onnx.load(folder / name).ir_version for name in detector.files} == {8}


def test_a_damaged_detector_is_exported_anew_and_a_sound_one_kept(tmp_path):
    ensure_detector(tmp_path)
    path = tmp_path / DETECTOR_FOLDER
    made = (path / "rnet.onnx").stat().st_mtime_ns
    ensure_detector(tmp_path)
    assert (path / "rnet.onnx").stat().st_mtime_ns == made
    (path / "rnet.onnx").write_bytes(b"cut short")
    ensure_detector(tmp_path)
    assert open_detector(path).files


def test_missing_weights_are_named_with_their_extra(tmp_path, monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingLibraryError, match=r"pip install 'edge-aver\[reference\]'"):
        ensure_detector(tmp_path)
    assert not [path for path in tmp_path.iterdir() if not path.name.endswith(".lock")]
