from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from edge_aver.declarations import declaration_digest, declaration_path, load, parse, shipped_names
from edge_aver.errors import DeclarationError
from edge_aver.files import sha256_file

FOLDER = "export/recipes"


@dataclass(frozen=True, kw_only=True)
class Limits:
    clips: int = 32
    ratio_db: float | None = None


@dataclass(frozen=True, kw_only=True)
class Part:
    index: int


@dataclass(frozen=True, kw_only=True)
class Declared:
    name: str
    kind: Literal["fp32", "int8"] = "fp32"
    quick: bool = False
    actors: tuple[int, ...] = ()
    parts: tuple[Part, ...] = ()
    blocks: dict[str, Literal["fp32", "int8"]] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    other: Limits | None = None


def refused(table):
    with pytest.raises(DeclarationError) as caught:
        parse(Declared, table, where="x.toml")
    return str(caught.value)


def test_every_kind_of_value_is_read():
    table = {
        "name": "n",
        "kind": "int8",
        "quick": True,
        "actors": [1, 2],
        "parts": [{"index": 1}, {"index": 2}],
        "blocks": {"stem": "fp32"},
        "limits": {"clips": 4, "ratio_db": 15.5},
        "other": {},
    }
    assert parse(Declared, table, where="x.toml") == Declared(
        name="n",
        kind="int8",
        quick=True,
        actors=(1, 2),
        parts=(Part(index=1), Part(index=2)),
        blocks={"stem": "fp32"},
        limits=Limits(clips=4, ratio_db=15.5),
        other=Limits(),
    )


def test_defaults_stand_where_nothing_is_said():
    assert parse(Declared, {"name": "n"}, where="x.toml") == Declared(name="n")


def test_a_whole_number_is_a_float_where_one_is_expected():
    limits = parse(Limits, {"ratio_db": 15}, where="x.toml")
    assert type(limits.ratio_db) is float
    assert limits.ratio_db == 15.0


@dataclass(frozen=True, kw_only=True)
class Loose:
    shape: tuple[int | str, ...] = ()
    pair: tuple[str, str] = ("", "")
    facts: Mapping[str, Any] = field(default_factory=dict)
    ratio: float | None = 1.0


def test_several_types_pairs_anything_and_nothing_are_read_where_they_are_meant():
    table = {"shape": ["N", 15], "pair": ("a", "b"), "facts": {"x": [None]}, "ratio": None}
    assert parse(Loose, table, where="x") == Loose(shape=("N", 15), pair=("a", "b"), facts={"x": [None]}, ratio=None)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"shape": [1.5]}, "x: shape[0]: 1.5 is float, expected int"),
        ({"pair": ["a"]}, "x: pair: 1 values, expected 2"),
        ({"facts": None}, "x: facts: None is NoneType, expected dict"),
        ({"ratio": float("nan")}, "x: ratio: nan is not a number to reckon with"),
        ({"ratio": 10**400}, "is int, expected float"),
        ({"shape": "x" * 9999}, "..."),
    ],
)
def test_what_is_not_meant_is_one_short_line(table, told):
    with pytest.raises(DeclarationError) as caught:
        parse(Loose, table, where="x")
    assert told in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("text", ["a = " + "9" * 5000, "a = " + "[" * 5000 + "]" * 5000, "a = 1\na = 2", "\x00"])
def test_toml_without_end_is_no_toml(tmp_path, text):
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(DeclarationError, match="not TOML"):
        load(Loose, "export/recipes", tmp_path / "x.toml")


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"name": "n", "kinds": 1}, "x.toml: unknown key 'kinds'; known: actors, blocks, kind, limits, name, other"),
        ({"name": "n", "limits": {"clip": 1}}, "x.toml: limits: unknown key 'clip'; known: clips, ratio_db"),
        ({}, "x.toml: key 'name' is missing"),
        ({"name": "n", "parts": [{}]}, "x.toml: parts[0]: key 'index' is missing"),
        ({"name": 3}, "x.toml: name: 3 is int, expected str"),
        ({"name": "n", "quick": 1}, "x.toml: quick: 1 is int, expected bool"),
        ({"name": "n", "actors": [1, "2"]}, "x.toml: actors[1]: '2' is str, expected int"),
        ({"name": "n", "actors": [True]}, "x.toml: actors[0]: True is bool, expected int"),
        ({"name": "n", "actors": 1}, "x.toml: actors: 1 is int, expected list"),
        ({"name": "n", "parts": [3]}, "x.toml: parts[0]: 3 is int, expected dict"),
        ({"name": "n", "limits": {"clips": 1.0}}, "x.toml: limits: clips: 1.0 is float, expected int"),
        ({"name": "n", "limits": {"ratio_db": True}}, "x.toml: limits: ratio_db: True is bool, expected float"),
        ({"name": "n", "limits": {"ratio_db": "15"}}, "x.toml: limits: ratio_db: '15' is str, expected float"),
        ({"name": "n", "kind": "int4"}, "x.toml: kind: 'int4' is not one of fp32, int8"),
        ({"name": "n", "blocks": {"stem": "int4"}}, "x.toml: blocks.stem: 'int4' is not one of fp32, int8"),
        ({"name": "n", "blocks": []}, "x.toml: blocks: [] is list, expected dict"),
    ],
)
def test_a_mistake_is_one_line_that_says_where(table, told):
    assert refused(table).startswith(told)


def test_a_declaration_is_found_by_path(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\nactors = [3]\n')
    assert load(Declared, FOLDER, path) == load(Declared, FOLDER, str(path)) == Declared(name="mine", actors=(3,))
    assert declaration_digest(FOLDER, path) == sha256_file(path)


def test_a_shipped_name_wins_over_a_file_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "int8").write_text("")
    (tmp_path / "int8.toml").write_text("")
    shipped = declaration_path(FOLDER, "int8")
    assert shipped.parent != tmp_path
    assert shipped.name == "int8.toml"
    assert declaration_path(FOLDER, "int8.toml").resolve() == tmp_path / "int8.toml"


def test_shipped_names_are_those_of_the_files():
    assert {"fp32", "fp16", "int8"} <= set(shipped_names(FOLDER))
    assert list(shipped_names(FOLDER)) == sorted(shipped_names(FOLDER))
    assert shipped_names("export/no-such-folder") == ()


@pytest.mark.parametrize("name", ["int4", "gone.toml", "../recipes/int8", "", "folder.toml", "recipe.txt"])
def test_an_unknown_name_lists_the_shipped_ones(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "recipe.txt").write_text('name = "n"')
    with pytest.raises(DeclarationError, match=r"neither a TOML file nor one of the shipped export/recipes: .*int8"):
        load(Declared, FOLDER, name)


@pytest.mark.parametrize("content", [b"name = ", b"name = 'a'\nname = 'b'", b"\xff\xfe", b"\x00"])
def test_what_is_no_toml_is_one_line(tmp_path, content):
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(DeclarationError, match=r"bad\.toml: not TOML: ") as caught:
        load(Declared, FOLDER, path)
    assert "\n" not in str(caught.value)
