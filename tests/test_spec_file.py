import pytest

from edge_aver.errors import DeclarationError
from edge_aver.spec import LABELS, ModelSpec
from edge_aver.spec_file import load_spec

WHOLE = """
architecture = "mine-2"
inputs = ["audio", "faces"]
labels = ["sad", "happy"]
corpus = "synthetic"
fold = 2

[preprocessing]
frames = 8
face_size_px = 112
n_mfcc = 6
segment_offsets = [-1, 0]
"""


def write(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def test_a_spec_holds_what_the_network_takes_and_gives(tmp_path):
    spec = load_spec(write(tmp_path, WHOLE))

    assert [(item.name, item.dtype, item.shape) for item in (*spec.inputs, *spec.outputs)] == [
        ("audio", "float32", ("batch", 8, 40)),
        ("faces", "uint8", ("batch", 8, 112, 112, 3)),
        ("logits", "float32", ("batch", 2)),
    ]
    assert (spec.architecture, spec.corpus, spec.fold, spec.labels) == ("mine-2", "synthetic", 2, ("sad", "happy"))
    assert spec.preprocessing.frames == 8
    assert spec.media_gap is None
    assert ModelSpec.from_json(spec.to_json(), where="here") == spec


def test_what_a_spec_leaves_out_is_the_papers(tmp_path):
    spec = load_spec(write(tmp_path, 'architecture = "mine"'), corpus="composite", fold=3)
    ours = ModelSpec(architecture="mine", corpus="composite", fold=3, backbone_weights="unknown")

    assert spec == ours
    assert spec.labels == LABELS


def test_features_of_ones_own_are_taken_and_known_not_to_come_from_media(tmp_path):
    spec = load_spec(write(tmp_path, 'architecture = "mine"\naudio_features = 64'))

    assert spec.inputs[1].shape == ("batch", 15, 64)
    assert "takes audio of 15 x 64, which its preprocessing constants do not make of media" in spec.media_gap


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"mine-2"', '"sa"', "one of the paper's"),
        ('"mine-2"', '"Mine"', "part of file names"),
        ('["audio", "faces"]', "[]", "inputs []"),
        ('["audio", "faces"]', '["faces", "faces"]', "each once"),
        ('["audio", "faces"]', '["video"]', "not one of faces, audio"),
        ('["sad", "happy"]', '["sad"]', "labels ['sad']"),
        ('["sad", "happy"]', '["sad", "sad"]', "each once"),
        ("frames = 8", "frames = 0", "preprocessing: frames 0: expected 1 or more"),
        ("frames = 8", "window_s = 0", "window_s 0"),
        ("frames = 8", "window_s = nan", "not a number to reckon with"),
        ("frames = 8", "delta_width = 4", "delta_width 4: expected an odd number"),
        ("frames = 8", "win_length = 600", "win_length 600 exceeds n_fft"),
        ("frames = 8", "n_mels = 4", "n_mfcc 6 exceeds n_mels 4"),
        ("frames = 8", "pitch_window = 100", "shorter than a period"),
        ("frames = 8", "pitch_max_hz = 9000.0", "expected 0 < min < max < 8000"),
        ("frames = 8", 'face_detector = "haar"', "expected mtcnn"),
        ("[-1, 0]", "[]", "segment_offsets []"),
        ("frames = 8", "frame_count = 8", "unknown key 'frame_count'"),
        ("fold = 2", "folds = 2", "unknown key 'folds'"),
        ("fold = 2", 'fold = "two"', "expected int"),
        ('inputs = ["audio", "faces"]', 'inputs = ["faces"]\naudio_features = 9', "takes no audio"),
        ('architecture = "mine-2"', "", "key 'architecture' is missing"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(tmp_path, old, new, said):
    assert old in WHOLE

    with pytest.raises(DeclarationError) as caught:
        load_spec(write(tmp_path, WHOLE.replace(old, new)))

    assert said in str(caught.value)


def test_an_option_that_differs_from_the_file_is_refused(tmp_path):
    with pytest.raises(DeclarationError, match="its fold is 2, asked for 1"):
        load_spec(write(tmp_path, WHOLE), fold=1)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DeclarationError, match="no such TOML file"):
        load_spec(tmp_path / "none.toml")
