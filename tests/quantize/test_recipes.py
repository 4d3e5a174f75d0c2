import pytest

from edge_aver.errors import DeclarationError
from edge_aver.quantize import load_recipe, recipe_names
from edge_aver.quantize.blocks import BLOCKS, block_of, nodes_of

INT8 = """
name = "mine"
title = "A mix"
default = "int8"
[blocks]
squeeze_excite = "fp32"
[calibration]
clips = 8
[parity]
min_sqnr_db = 15
"""


def write(folder, text):
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


def test_every_shipped_recipe_loads_under_its_file_name():
    assert recipe_names() == ("fp16", "fp32", "int8", "int8-mixed")
    assert [load_recipe(name).name for name in recipe_names()] == list(recipe_names())


def test_limits_of_the_shipped_recipes_are_those_of_the_design():
    limits = {name: load_recipe(name).parity for name in recipe_names()}

    assert limits["fp32"].max_abs_diff == 1e-3
    assert limits["fp16"].min_sqnr_db == 40.0
    assert limits["int8-mixed"] == limits["int8"]
    assert (limits["int8"].min_sqnr_db, limits["int8"].min_top1_agreement) == (15.0, 0.95)


def test_a_recipe_of_ones_own_is_read_by_path(tmp_path):
    recipe = load_recipe(write(tmp_path, INT8))

    assert recipe.precision_of("squeeze_excite") == "fp32"
    assert recipe.precision_of("stem") == "int8"
    assert recipe.blocks_in("fp32") == ("squeeze_excite",)
    assert len(recipe.sha256) == 64


def test_fp16_needs_clips_as_int8_does(tmp_path):
    text = INT8.replace('"int8"', '"fp16"')
    assert load_recipe(write(tmp_path, text)).blocks_in("int8") == ()

    with pytest.raises(DeclarationError, match=r"int8 or fp16 need a \[calibration\] table"):
        load_recipe(write(tmp_path, text.replace("[calibration]\nclips = 8", "")))


def test_int8_and_fp16_blocks_stand_in_one_recipe(tmp_path):
    recipe = load_recipe(write(tmp_path, INT8.replace('"fp32"', '"fp16"')))

    assert recipe.blocks_in("fp16") == ("squeeze_excite",)
    assert "stem" in recipe.blocks_in("int8")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("squeeze_excite", "squeeze", "unknown block 'squeeze'"),
        ('"fp32"', '"int4"', "'int4' is not one of fp32, fp16, int8"),
        ("[calibration]\nclips = 8", "", r"need a \[calibration\] table"),
        ("min_sqnr_db = 15", "", "names no limit"),
        ("clips = 8", "clips = 0", "at least 1"),
        ("clips = 8", "clip = 8", "unknown key 'clip'; known: clips, seed"),
        ('"mine"', '"../mine"', "is part of file names"),
    ],
)
def test_a_mistake_is_named(tmp_path, old, new, message):
    with pytest.raises(DeclarationError, match=message):
        load_recipe(write(tmp_path, INT8.replace(old, new)))


@pytest.mark.parametrize(
    ("node", "block"),
    [
        ("network/Cast_0", "normalisation"),
        ("frame_encoder/Sub_0", "normalisation"),
        ("frame_encoder.backbone.bn1/Conv_0", "stem"),
        ("frame_encoder.backbone.blocks.3.1.conv_dw/Conv_0", "stage3"),
        ("frame_encoder.backbone.blocks.3.1.se.conv_reduce/Conv_0", "squeeze_excite"),
        ("frame_encoder.backbone.bn2/Conv_0", "head"),
        ("frame_encoder.dense/Gemm_0", "visual_dense"),
        ("fusion.audio_to_visual.units.0.attention_norm/LayerNormalization_0", "layer_norm"),
        ("fusion.audio_to_visual.units.0/Softmax_0", "softmax"),
        ("fusion.visual_to_audio.units.1.narrow/Gemm_0", "cross_attention"),
        ("fusion.visual_self.2.output/Gemm_0", "self_attention"),
        ("fusion.classifier/Gemm_0", "classifier"),
        ("QuantizeLinear_17", None),
    ],
)
def test_nodes_belong_to_blocks(node, block):
    assert block_of(node) == block


def test_nodes_of_keeps_the_order_and_leaves_the_rest():
    nodes = ["fusion.classifier/Gemm_0", "Gemm_1", "frame_encoder.dense/Gemm_0"]

    assert nodes_of(nodes, ["visual_dense", "classifier"]) == [nodes[0], nodes[2]]
    assert set(BLOCKS) >= {"stem", "stage5", "squeeze_excite"}
