"""The contract that every bundle holds, read as a programmer reads it: each number of it is the code's."""

import re
import subprocess
import zipfile
from dataclasses import asdict

import numpy as np
import pytest
from bundles import MEMBERS, small_bundle
from contract_tables import commands, contract_tables, number, numbers, pairs, sentences, told_member

from edge_aver.bundle import archive, artifact, detector, golden, notices, pack, signature
from edge_aver.media import mfcc, mtcnn, pitch, pyramid, speech
from edge_aver.media.audio import segments
from edge_aver.media.faces import square_box
from edge_aver.runtime import make_bundle, replay
from edge_aver.spec import LABELS, ModelSpec, Preprocessing

CONSTANTS = Preprocessing()
SPEC = ModelSpec(architecture="sa", corpus="synthetic", fold=1)
NO_DETECTOR = detector.Detector(path=None, source="", files={})


@pytest.fixture(scope="module")
def text():
    return notices.notice_members(SPEC, NO_DETECTOR, {})["CONTRACT.md"].decode()


@pytest.fixture(scope="module")
def tables(text):
    return contract_tables(text)


TESTED = {
    *("member", "quantity", "tensor", "index", "OpenVINO property", "part", "constant", "frame", "box"),
    *("face detector", "columns", "speech", "columns of audio", "signal", "column", "tensor of dtype", "stage", "file"),
}


def test_no_table_is_left_out(tables):
    assert set(tables) == TESTED


def test_its_sentences_hold_no_numbers_but_those_of_formulas(text):
    """Any other stands in a table, which a test below reads."""
    found = re.findall(r"(?<![\w.-])\d(?:[\d,.]*\d)?(?!\w)", sentences(text))
    frame_time, no_face, even, planes = ["0.5"], ["0"], ["2", "2"], ["3", "0", "255"]
    samples, mel_from_hz, decibels, degrees, noise = ["1"], ["0"], ["10"], ["1", "2"], ["10"]
    before = [*frame_time, *no_face, *even, *planes]
    assert found == [*before, *samples, *mel_from_hz, *decibels, *degrees, *noise]


def test_the_container(tables, keys):
    assert {name: number(value) for name, value in pairs(tables["quantity"]).items()} == {
        "signature_bytes": signature.SIGNATURE_BYTES,
        "public_key_bytes": len(signature._public(keys / "me.pub").public_bytes_raw()),
        "largest_bundle_bytes": archive.MAX_BYTES,
        "most_members": archive.MAX_MEMBERS,
    }


def test_members_are_told(tables):
    made = {*MEMBERS, *notices.notice_members(SPEC, NO_DETECTOR, {})}
    assert not [name for name in made if not told_member(name, tables["member"])]
    assert not told_member("golden/clip.mp5", tables["member"])


@pytest.mark.parametrize("spoil", [None, "spec.json", "manifest.json", "manifest.sig"])
def test_its_commands_find_what_was_changed(text, keys, tmp_path, spoil):
    folder = tmp_path / "a folder"
    with zipfile.ZipFile(small_bundle(tmp_path, key=keys / "me.pem")) as whole:
        whole.extractall(folder)
    (folder / "public.pem").write_bytes((keys / "me.pub").read_bytes())
    if spoil:
        data = (folder / spoil).read_bytes()
        (folder / spoil).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    (script,) = commands(text)
    done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", script], cwd=folder, capture_output=True, check=False)
    assert (done.returncode == 0) is (spoil is None), done


def test_tensors_and_labels(tables):
    told = {row[0]: (row[1], row[2], row[3]) for row in tables["tensor"]}
    for direction, tensors in (("input", SPEC.inputs), ("output", SPEC.outputs)):
        for tensor in tensors:
            shape = ", ".join("N" if size == "batch" else str(size) for size in tensor.shape)
            assert told.pop(tensor.name) == (direction, tensor.dtype, shape)
    assert told == {}
    assert [(int(row[0]), row[1]) for row in tables["index"]] == list(enumerate(LABELS))


def test_properties_of_openvino(tables):
    ov = pytest.importorskip("edge_aver.targets.ov", reason="openvino is not installed", exc_type=ImportError)
    assert pairs(tables["OpenVINO property"]) == {name: str(value) for name, value in ov._config(None).items()}


def test_parts(tables, tmp_path):
    onnx = pytest.importorskip("onnx", reason="onnx names the parts")
    split = pytest.importorskip("edge_aver.export.split")
    rows = tables["part"]
    assert tuple(dict.fromkeys(row[0] for row in rows)) == split.PARTS
    names = [(row[0], row[1]) for row in rows]
    assert ("frame_encoder", split.FEATURES) in names
    assert ("fusion", split.FEATURES) in names
    for name, table in _parts(onnx, split, tmp_path).items():
        assert [row[1:] for row in rows if row[0] == name] == table


def _parts(onnx, split, folder):
    """What `split_onnx` makes of a graph that joins where the network does."""
    helper, types = onnx.helper, onnx.TensorProto
    nodes = [
        helper.make_node("Reshape", ["faces", "flat"], ["frames"], name="network/Reshape_0"),
        helper.make_node("Cast", ["frames"], ["pixels"], to=types.FLOAT),
        helper.make_node("ReduceMean", ["pixels", "sides"], ["mean"], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "times"], ["grey"]),
        helper.make_node("Expand", ["grey", "width"], ["encoded"]),
        helper.make_node("Reshape", ["encoded", "clips"], ["visual"], name="network/Reshape_1"),
        helper.make_node("Add", ["visual", "audio"], ["both"]),
        helper.make_node("ReduceMean", ["both", "times"], ["pooled"], keepdims=0),
        helper.make_node("MatMul", ["pooled", "head"], ["logits"]),
    ]
    constants = {
        "flat": np.array([-1, 224, 224, 3]),
        "sides": np.array([1, 2, 3]),
        "width": np.array([1, 128]),
        "clips": np.array([-1, 15, 128]),
        "times": np.array([1]),
        "head": np.zeros((128, 8), np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "joined",
        [
            helper.make_tensor_value_info("faces", types.UINT8, ["batch", 15, 224, 224, 3]),
            helper.make_tensor_value_info("audio", types.FLOAT, ["batch", 15, 128]),
        ],
        [helper.make_tensor_value_info("logits", types.FLOAT, ["batch", 8])],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), folder / "x.onnx")
    names = {types.UINT8: "uint8", types.FLOAT: "float32"}
    found = {}
    for part, path in split.split_onnx(folder / "x.onnx", folder).items():
        graph, batch = onnx.load(path).graph, "M" if part == "frame_encoder" else "N"
        found[part] = []
        for direction, tensors in (("input", graph.input), ("output", graph.output)):
            for tensor in tensors:
                kind = tensor.type.tensor_type
                sizes = [str(size.dim_value) for size in kind.shape.dim[1:]]
                found[part].append([tensor.name, direction, names[kind.elem_type], ", ".join([batch, *sizes])])
    return found


def test_constants_are_those_of_the_spec(tables):
    told = pairs(tables["constant"])
    assert set(told) == set(asdict(CONSTANTS))
    for name, value in asdict(CONSTANTS).items():
        if isinstance(value, str):
            assert told[name] == value
        else:
            assert numbers(told[name]) == (tuple(value) if isinstance(value, tuple) else (value,)), name


def test_frames_and_the_steps_nearest_to_them(tables):
    steps = np.zeros((361, CONSTANTS.step_features), np.float32)
    steps[:, 0] = np.arange(len(steps))
    own = segments(steps, CONSTANTS)[:, CONSTANTS.segment_offsets.index(0) * CONSTANTS.step_features]
    rows = [tuple(map(number, row)) for row in tables["frame"]]
    assert rows == [
        (i, pytest.approx(time_s), step)
        for i, (time_s, step) in enumerate(zip(CONSTANTS.frame_times_s(), own, strict=True))
    ]


def test_squares_of_boxes(tables):
    assert tables["box"]
    for box, square in tables["box"]:
        assert square_box(np.array(numbers(box), np.float32)) == numbers(square)


def test_the_face_detector(tables):
    assert {name: number(value) for name, value in pairs(tables["face detector"]).items()} == {
        **dict(zip(("pnet_threshold", "rnet_threshold", "onet_threshold"), mtcnn._THRESHOLDS, strict=True)),
        "overlap_in_level": mtcnn._OVERLAP_IN_LEVEL,
        "overlap": mtcnn._OVERLAP,
        "pyramid_factor": pyramid._FACTOR,
        "smallest_face_px": pyramid._SMALLEST_PX,
        "smallest_face_share": pyramid._SMALLEST_SHARE,
        "sure": mtcnn._SURE,
    }


def test_the_speech_constants(tables):
    assert {name: number(value) for name, value in pairs(tables["speech"]).items()} == {
        "band_floor": mfcc._FLOOR,
        "mel_range_db": mfcc._RANGE_DB,
        "mel_linear_below_hz": mfcc._LINEAR_TO_HZ,
        "trough": pitch._TROUGH,
        "power_floor": speech._POWER_FLOOR,
    }


@pytest.fixture(scope="module")
def signal(tables):
    told = {name: number(value) for name, value in pairs(tables["signal"]).items()}
    n = np.arange(told["samples"])
    rate_hz, count = CONSTANTS.sample_rate_hz, int(told["harmonics"])
    waves = [np.sin(2 * np.pi * k * told["fundamental_hz"] * n / rate_hz) / k for k in range(1, count + 1)]
    made = (told["amplitude"] * n / told["samples"] * sum(waves)).astype(np.float32)
    assert len(made) == round(CONSTANTS.window_s * rate_hz)
    return made, int(told["steps"]), int(told["step"])


def test_the_values_of_the_made_up_signal(tables, signal):
    made, count, step = signal
    steps = speech.speech_steps(made, CONSTANTS)
    assert steps.shape == (count, CONSTANTS.step_features)
    assert [int(row[0]) for row in tables["column"]] == list(range(CONSTANTS.step_features))
    np.testing.assert_allclose([number(row[1]) for row in tables["column"]], steps[step], rtol=1e-4)


def test_the_columns_of_a_step(tables, signal):
    steps = speech.speech_steps(signal[0], CONSTANTS).astype(np.float64)
    windows = speech.step_windows(signal[0].astype(np.float64), CONSTANTS.win_length, CONSTANTS)
    coefficients = mfcc.mfcc(windows, CONSTANTS)
    power = speech.mean_power(windows)
    longer = speech.step_windows(signal[0].astype(np.float64), CONSTANTS.pitch_window, CONSTANTS)
    expected = {
        "MFCC": coefficients,
        "their deltas": mfcc.delta(coefficients, CONSTANTS.delta_width, order=1),
        "their second deltas": mfcc.delta(coefficients, CONSTANTS.delta_width, order=2),
        "pitch": pitch.pitch_hz(longer, speech.loud(power, CONSTANTS), CONSTANTS)[:, None],
        "log energy": speech.log_energy(power)[:, None],
    }
    columns = []
    for where, what, *_ in tables["columns"]:
        chosen = _columns(where)
        columns += chosen
        np.testing.assert_allclose(steps[:, chosen], expected.pop(what), rtol=1e-5, atol=1e-5)
    assert expected == {}
    assert columns == list(range(CONSTANTS.step_features))


def _columns(where):
    first, _, last = where.partition("-")
    return list(range(int(first), int(last or first) + 1))


def test_the_segments_of_a_row(tables):
    steps = np.zeros((361, CONSTANTS.step_features), np.float32)
    times = [round(time_s * 100) for time_s in CONSTANTS.frame_times_s()]
    steps[times] = 1 + np.arange(len(times))[:, None]
    audio = segments(steps, CONSTANTS)
    columns = []
    for where, frame in tables["columns of audio"]:
        offset = int(frame.removeprefix("i") or 0)
        chosen = _columns(where)
        columns += chosen
        for i in range(len(times)):
            there = i + offset + 1 if 0 <= i + offset < len(times) else 0
            assert (audio[i, chosen] == there).all()
    assert columns == list(range(CONSTANTS.audio_features))


def test_golden_tensors(tables):
    (what,) = [row[3] for row in tables["tensor of dtype"] if row[0] == "frames"]
    assert f"{replay.POOL_PX} x {replay.POOL_PX}" in what
    told = {row[0]: (row[1], row[2]) for row in tables["tensor of dtype"]}
    assert {name: dtype for name, (dtype, _) in told.items()} == golden._TENSORS
    side = str(CONSTANTS.face_size_px)
    assert told["faces"][1].split(", ") == [str(CONSTANTS.frames), side, side, "3"]
    assert told["face_found"][1] == str(CONSTANTS.frames)
    assert told["audio"][1].split(", ") == [str(CONSTANTS.frames), str(CONSTANTS.audio_features)]


def test_tolerances(tables):
    expected = {
        **make_bundle._TOLERANCES,
        **{f"logits, {precision}": tolerance for precision, tolerance in make_bundle._BY_PRECISION},
    }
    for stage, most, least, _ in tables["stage"]:
        tolerance = expected.pop(stage)
        assert (_limit(most), _limit(least)) == (tolerance.max_abs_diff, tolerance.min_sqnr_db)
    assert expected == {}


def _limit(cell):
    return None if cell == "none" else number(cell)


def test_versions(tables):
    assert [(file.strip("`"), key, int(value)) for file, key, value in tables["file"]] == [
        ("manifest.json", "format_version", pack._VERSION),
        ("spec.json", "format_version", SPEC.format_version),
        ("golden/golden.json", "format_version", golden._VERSION),
        ("artifacts/mtcnn.detector/detector.json", "format_version", detector._FORMAT),
        ("artifacts/*.json", "schema_version", artifact._SCHEMA_VERSION),
    ]
