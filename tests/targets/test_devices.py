import importlib
import importlib.metadata
import sys

import pytest

from edge_aver.errors import DeclarationError, TargetError
from edge_aver.targets import RUNTIMES, load_profile, profile_names, runtime_module
from edge_aver.targets.devices import RuntimeEntry


def test_every_shipped_profile_names_itself_and_a_known_runtime():
    assert {"onnxruntime-cpu", "openvino-cpu"} <= set(profile_names())
    for name in profile_names():
        profile = load_profile(name)
        assert profile.name == name
        assert profile.runtime in RUNTIMES
        assert profile.precisions


def test_a_profile_of_ones_own_is_read_by_path(tmp_path):
    path = tmp_path / "board.toml"
    path.write_text('name = "board"\ntitle = "A board"\nruntime = "openvino"\nprecisions = ["int8"]\n')
    assert load_profile(str(path)).precisions == ("int8",)


def test_an_unknown_runtime_lists_the_known_ones(tmp_path):
    path = tmp_path / "board.toml"
    path.write_text('name = "board"\ntitle = "A board"\nruntime = "tflite"\nprecisions = ["int8"]\n')
    with pytest.raises(DeclarationError, match=f"'tflite' is not one of {', '.join(RUNTIMES)}"):
        load_profile(str(path))


def test_an_unknown_target_lists_the_known_ones():
    with pytest.raises(DeclarationError, match=f"gameboy: .*{', '.join(profile_names())}"):
        load_profile("gameboy")


def test_a_runtime_outside_the_table_is_refused():
    with pytest.raises(TargetError, match=f"'tflite' is not one that this edge-aver knows: {', '.join(RUNTIMES)}"):
        runtime_module("tflite")


def test_a_library_that_does_not_load_is_one_line(monkeypatch):
    def fail(name):
        raise ImportError(f"lib{name}.so: cannot open\nshared object file")

    monkeypatch.setattr(importlib, "import_module", fail)
    name = next((name for name, entry in RUNTIMES.items() if entry.version), None)
    if name is None:
        pytest.skip("no runtime is installed")
    with pytest.raises(TargetError, match=f"{name} is installed but does not load here: lib{name}.so") as caught:
        runtime_module(name)
    assert "\n" not in str(caught.value)


def test_a_version_is_that_of_the_distribution(monkeypatch):
    assert RuntimeEntry(module="", library="pytest", extra="").version == pytest.__version__
    assert "pytest" in sys.modules


def test_a_library_from_a_distribution_of_another_name_has_a_version(monkeypatch):
    version = importlib.metadata.version

    def renamed(name):
        if name == "pytest":
            raise importlib.metadata.PackageNotFoundError(name)
        return {"pytest-gpu": "9.9"}.get(name) or version(name)

    monkeypatch.setattr(importlib.metadata, "version", renamed)
    monkeypatch.setattr(importlib.metadata, "packages_distributions", lambda: {"pytest": ["pytest-gpu"]})
    assert RuntimeEntry(module="", library="pytest", extra="").version == "9.9"
