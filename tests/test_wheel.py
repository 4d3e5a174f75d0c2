"""The wheel, built and installed without extras into an environment of its own: what a device gets."""

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from trove_classifiers import classifiers

from edge_aver import __version__
from edge_aver.targets import RUNTIMES, load_profile, profile_names

ROOT = Path(__file__).parent.parent
DECLARATIONS = ("benchmarks", "calibration", "export", "targets")

RUNTIME_HALF = (
    *("benchmarks", "bundle", "calibration", "cli", "commands", "console", "corpora", "declarations", "doctor"),
    *("errors", "files", "media", "runtime", "screens", "spec", "targets", "workspace"),
)
"""Packages and modules that must import without any extra."""

EXTRAS = tuple(
    re.findall(
        r"^([\w-]+) = \[",
        (ROOT / "pyproject.toml").read_text().partition("[project.optional-dependencies]")[2].partition("\n[")[0],
        re.MULTILINE,
    )
)

NO_WHEEL = {"tensorrt"}
"""What no test can install: it comes with JetPack, or is gigabytes that only its GPU needs."""

_PYTHON_VARIABLES = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "EDGE_AVER_WORKSPACE", "COVERAGE_PROCESS_START")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def members(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def bare(wheel, tmp_path_factory):
    """Folder of the programs of a bare environment with the wheel in it."""
    folder = tmp_path_factory.mktemp("bare")
    _run(sys.executable, "-m", "venv", folder)
    constraints = ROOT / "constraints.txt"
    options = ["-c", constraints] if constraints.is_file() else []
    pip = (folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    _run(*pip, *options, wheel)
    return folder / "bin"


def test_code_and_typing_marker_are_in_it_and_tests_are_not(members):
    code = {path.relative_to(ROOT).as_posix() for path in (ROOT / "edge_aver").rglob("*.py")}
    assert code <= set(members)
    assert "edge_aver/py.typed" in members
    tops = {name.split("/")[0] for name in members}
    assert tops == {"edge_aver", f"edge_aver-{__version__}.dist-info"}


@pytest.mark.parametrize("folder", DECLARATIONS)
def test_every_declaration_is_in_it(members, folder):
    declared = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.toml")}
    assert declared
    assert {f"edge_aver/_declarations/{name}" for name in declared} <= set(members)


def test_what_a_bundle_packs_is_in_it(wheel):
    texts = [path for path in (ROOT / "edge_aver" / "bundle").rglob("*") if path.suffix in {".txt", ".md"}]
    assert {path.name for path in texts} == {"apache-2.0.txt", "facenet-pytorch.txt", "CONTRACT.md"}
    with zipfile.ZipFile(wheel) as archive:
        for path in texts:
            assert archive.read(path.relative_to(ROOT).as_posix()) == path.read_bytes()


def test_licence_entry_point_and_extras_are_in_it(wheel):
    info = f"edge_aver-{__version__}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(f"{info}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
        assert "edge-aver = edge_aver.cli:main" in archive.read(f"{info}/entry_points.txt").decode()
        metadata = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
    assert {entry.extra for entry in RUNTIMES.values()} <= set(metadata.get_all("Provides-Extra"))
    core = [item for item in metadata.get_all("Requires-Dist") if "extra ==" not in item]
    assert not [item for item in core if "torch" in item]


@pytest.fixture(scope="module")
def metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return Parser().parsestr(archive.read(f"edge_aver-{__version__}.dist-info/METADATA").decode())


def test_metadata_tell_what_it_is_and_invent_no_host(metadata):
    assert (metadata["Name"], metadata["Version"]) == ("edge-aver", __version__)
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload().strip() == (ROOT / "README.md").read_text().strip()
    assert set(metadata.get_all("Classifier")) <= classifiers
    addresses = [item.partition(", ")[2] for item in metadata.get_all("Project-URL")]
    assert [address.split("/")[2] for address in addresses] == ["doi.org"]
    assert metadata["Home-page"] is None


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sdist")
    _run(sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", folder, ROOT)
    (path,) = folder.glob("*.tar.gz")
    return path


def test_the_sdist_holds_every_tracked_file_and_nothing_else(sdist):
    """As far as git is here to ask: what is not tracked (media, workspaces, caches) must not slip in."""
    with tarfile.open(sdist) as archive:
        files = [member for member in archive.getmembers() if member.isfile()]
        names = {member.name.partition("/")[2] for member in files}
        assert all(member.name.startswith(f"edge_aver-{__version__}/") for member in files)
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout to compare with")
    tracked = set(
        _run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).stdout.split("\0")
    )
    expected = {name for name in tracked if name and (ROOT / name).is_file() and not name.startswith(".ci/")}
    # hatchling adds both of its own accord.
    assert names - {"PKG-INFO", ".gitignore"} == expected - {".gitignore"}


def test_a_wheel_of_the_sdist_is_the_same(sdist, wheel, tmp_path):
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path / "out", source)
    (again,) = (tmp_path / "out").glob("*.whl")
    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(again) as second:
        assert {(item.filename, item.CRC) for item in first.infolist()} == {
            (item.filename, item.CRC) for item in second.infolist()
        }


@pytest.mark.slow
@pytest.mark.parametrize("extra", EXTRAS)
def test_each_extra_installs_and_agrees_with_itself(wheel, extra, tmp_path):
    """In an environment of its own, with the versions of constraints.txt; some are gigabytes."""
    _run(sys.executable, "-m", "venv", tmp_path)
    python = tmp_path / "bin" / "python"
    pip = (python, "-m", "pip", "--disable-pip-version-check", "--quiet")
    _run(*pip, "install", "--no-cache-dir", "-c", ROOT / "constraints.txt", f"edge-aver[{extra}] @ {wheel.as_uri()}")

    assert _run(*pip, "check").returncode == 0
    assert _run(tmp_path / "bin" / "edge-aver", "--version").stdout == f"edge-aver {__version__}\n"


def test_every_pin_stands_for_every_requirement(metadata):
    """Each library that the project asks for by name has a version in constraints.txt."""
    pinned = {re.split(r"[=;]", line)[0].lower().replace("_", "-") for line in _lines("constraints.txt")}
    asked = {re.split(r"[\[<>=;!~ ]", item)[0].lower().replace("_", "-") for item in metadata.get_all("Requires-Dist")}
    assert asked - {"edge-aver"} <= pinned | NO_WHEEL


def _lines(name):
    return [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]


def test_the_runtime_half_imports_without_extras(members, bare):
    wrappers = {entry.module for entry in RUNTIMES.values()}
    names = {_dotted(name) for name in members if name.endswith(".py") and _part(name) in RUNTIME_HALF} - wrappers
    assert {"edge_aver.runtime.model", "edge_aver.media.reference", "edge_aver.bundle.artifact"} <= names
    _python(bare, f"import {', '.join(sorted(names))}")


def _part(member):
    return member.split("/")[1].removesuffix(".py")


def _dotted(member):
    return member.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def test_declarations_are_found_by_name(bare):
    code = """
import json
from edge_aver.benchmarks.suites import load_suite, suite_names
from edge_aver.calibration.folds import fold_count
from edge_aver.quantize import load_recipe, recipe_names
from edge_aver.targets import load_profile, profile_names
found = [[load(name).name for name in names()] for load, names in
         ((load_recipe, recipe_names), (load_profile, profile_names), (load_suite, suite_names))]
print(json.dumps([*found, fold_count("ravdess")]))
"""
    recipes, profiles, suites, folds = json.loads(_python(bare, code))
    assert {"fp32", "fp16", "int8"} <= set(recipes)
    assert {"onnxruntime-cpu", "openvino-cpu"} <= set(profiles)
    assert {"smoke", "quick", "full"} <= set(suites)
    assert folds == 5


def test_the_version_is_told(bare, tmp_path):
    assert _run(bare / "edge-aver", "--version", cwd=tmp_path).stdout == f"edge-aver {__version__}\n"


def test_targets_and_doctor_say_what_to_install(bare, tmp_path):
    wide = {"COLUMNS": "200"}
    targets = _run(bare / "edge-aver", "targets", cwd=tmp_path, **wide).stdout
    doctor = _run(bare / "edge-aver", "doctor", cwd=tmp_path, **wide).stdout
    for entry in (RUNTIMES[load_profile(name).runtime] for name in profile_names()):
        assert f"pip install 'edge-aver[{entry.extra}]'" in targets
        assert f"pip install 'edge-aver[{entry.extra}]'" in doctor
    assert "pip install 'edge-aver[reference]'" in doctor


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("prepare", "--corpus", "ravdess", "--data", "."), "reference"),
        (("train", "--arch", "sa"), "torch"),
        (("export", "--arch", "sa", "--precision", "int8"), "export"),
        (("report",), "report"),
    ],
)
def test_what_needs_an_extra_names_it_in_one_line(bare, tmp_path, arguments, extra):
    done = _run(bare / "edge-aver", *arguments, cwd=tmp_path, status=1)
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert line.endswith(f"pip install 'edge-aver[{extra}]'")
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_device_without_artifacts_is_told_so(bare, tmp_path):
    done = _run(bare / "edge-aver", "run", "x.mp4", cwd=tmp_path, status=1)
    assert (
        done.stderr
        == "error: no artifact in workspace/artifacts matches any (there: none); make one with edge-aver export\n"
    )


def _python(bare, code):
    # Isolated: neither the checkout nor the caller's paths are on it.
    return _run(bare / "python", "-I", "-c", code).stdout


def _run(*command, cwd=None, status=0, **variables):
    environment = {name: value for name, value in os.environ.items() if name not in _PYTHON_VARIABLES} | variables
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=cwd, env=environment)
    assert done.returncode == status, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done
