"""The rules that hold the house together."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tomllib

from edge_aver.benchmarks.backbone_choice import load_published_backbones
from edge_aver.benchmarks.grids import load_grid
from edge_aver.benchmarks.published import load_published
from edge_aver.benchmarks.suites import load_suite
from edge_aver.calibration.folds import fold_count, load_fold
from edge_aver.declarations import declaration_path
from edge_aver.quantize import load_recipe
from edge_aver.targets import RUNTIMES, load_profile

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "edge_aver"
NOT_TRACKED = {"workspace", "build", "dist", "__pycache__", "_declarations"}
DECLARATIONS = {"benchmarks", "calibration", "export", "targets"}

READERS = {"export": ("export", "quantize")}
"""Packages that read a declaration folder, where it is not the one of the same name alone."""

LEVELS = (
    {
        "__init__",
        "errors",
        "files",
        "spec",
        "spec_file",
        "declarations",
        "console",
        "workspace",
        "locks",
        "containment",
    },
    {"bundle", "cluster", "media"},
    {"corpora", "targets"},
    {"calibration"},
    {"quantize", "models", "runtime"},
    {"benchmarks", "export"},
    {"demo", "doctor", "study", "sweep", "viewer"},
    {"screens"},
    {"commands"},
    {"cli"},
    {"__main__"},
)
"""What imports what: only from a lower level; on the first one, of modules, from each other too."""

HEAVY = {
    "distributed",
    "facenet_pytorch",
    "librosa",
    "matplotlib",
    "nncf",
    "onnx",
    "onnxruntime",
    "openvino",
    "tensorrt",
    "tensorrt_rtx",
    "timm",
    "torch",
}

LIGHT = (
    "benchmarks",
    "bundle",
    "calibration",
    "cluster",
    "corpora",
    "media",
    "runtime",
    "targets",
    *LEVELS[0] - {"__init__"},
)
"""What a device imports, and what the command line may import before it knows what is asked of it."""


def tracked(suffix=""):
    """Files of the checkout that git would track."""
    for path in sorted(ROOT.rglob(f"*{suffix}")):
        parts = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") and part != ".ci" for part in parts)
        if path.is_file() and not hidden and not NOT_TRACKED & set(parts) and ".egg-info" not in str(path):
            yield path


def modules(*parts):
    """Modules of edge_aver, of the packages or modules named, or all."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if not NOT_TRACKED & set(path.parts) and (not parts or part_of(path) in parts):
            yield path


def part_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def dotted(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_python_stands_in_the_package_and_its_tests_alone():
    assert {path.relative_to(ROOT).parts[0] for path in tracked(".py")} == {"edge_aver", "tests"}


def test_declarations_stand_in_the_four_folders_that_the_wheel_ships():
    assert {path.relative_to(ROOT).parts[0] for path in tracked(".toml")} == {*DECLARATIONS, "pyproject.toml"}
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"] == {name: f"edge_aver/_declarations/{name}" for name in DECLARATIONS}


@pytest.mark.parametrize("name", sorted(DECLARATIONS))
def test_a_declaration_folder_has_a_readme_and_a_package_that_reads_it(name):
    assert (ROOT / name / "README.md").read_text().strip()
    assert (PACKAGE / name / "__init__.py").is_file()
    folders = {
        path.parent.relative_to(ROOT).as_posix() for path in tracked(".toml") if path.is_relative_to(ROOT / name)
    }
    read = {text for path in modules(*READERS.get(name, (name,))) for text in strings(path)}
    assert folders
    assert folders <= read


def strings(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def load_folds(name):
    for corpus in tomllib.loads(declaration_path("calibration/folds", name).read_text())["corpora"]:
        for index in range(1, fold_count(corpus) + 1):
            load_fold(corpus, index)


def load_any_published(name):
    return load_published_backbones(name) if name == "backbones" else load_published(name)


LOADERS = {
    "benchmarks/published": load_any_published,
    "benchmarks/grids": load_grid,
    "benchmarks/suites": load_suite,
    "calibration/folds": load_folds,
    "export/recipes": load_recipe,
    "targets/devices": load_profile,
}


@pytest.mark.parametrize(
    "path", [path for path in tracked(".toml") if path.name != "pyproject.toml"], ids=lambda path: path.stem
)
def test_every_shipped_declaration_is_loaded(path):
    folder = path.parent.relative_to(ROOT).as_posix()
    assert folder in LOADERS, f"{path.name}: no dataclass reads {folder}"
    LOADERS[folder](path.stem)


def imports(path):
    """Parts of edge_aver that a module imports anywhere in it, with the line."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name.startswith("edge_aver."):
                yield node.lineno, name.split(".")[1].replace("__version__", "__init__")


def level_of(part):
    found = [level for level, parts in enumerate(LEVELS) if part in parts]
    assert len(found) == 1, f"edge_aver.{part} stands on no level: give it one here, and in the design"
    return found[0]


@pytest.mark.parametrize("path", list(modules()), ids=dotted)
def test_imports_point_one_way(path):
    part = part_of(path)
    for line, other in imports(path):
        if part != other:
            lower = level_of(other) < level_of(part) or level_of(part) == level_of(other) == 0
            assert lower, f"{dotted(path)}, line {line}: {part} may not import {other}"


def test_light_modules_import_no_heavy_library():
    runtimes = {entry.module for entry in RUNTIMES.values()}
    light = modules(*LIGHT, "cli", "commands", "doctor", "screens", "viewer")
    names = [dotted(path) for path in light if dotted(path) not in runtimes]
    code = f"import sys, {', '.join(names)}; print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_no_file_knows_the_machine_it_was_written_on():
    machine = re.compile(r"(?<![\w.$)}])/(?:work|root|home(?!/someone/)|Users|tmp|opt)/")
    for path in tracked():
        if path.suffix in {".py", ".toml", ".md", ".html", ".txt", ".json", ""}:
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
                assert not machine.search(line), f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
