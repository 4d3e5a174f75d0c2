"""Every command that the README and the guide show is run here, or stands in a list with the reason why not.

Commands of edge-aver run in this process, in a folder that holds what the pages speak of: the workspace of a demo,
clips, recordings, faces, results. Where a machine is needed that is not here, the command ends in its one-line error.
"""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tomllib
import typer.main
from composite_files import drawn_faces, write_recordings, write_zip
from doc_pages import all_typed, pages, typed
from kits import tiny_kit
from prediction_files import write_predictions

from edge_aver import cli
from edge_aver.benchmarks.results import write_result
from edge_aver.bundle.artifact import sidecar_path
from edge_aver.corpora.synthetic import write_clip

ROOT = Path(__file__).parents[2]
COMMANDS = typer.main.get_command(cli.app).commands
ARTIFACT = "workspace/artifacts/aver-sa-synthetic-fold1-int8.openvino"
KIT = "workspace/artifacts/aver-sa-synthetic-fold1-int8.jetson-orin-nano.kit"

MEANT = {
    "ARTIFACT": ARTIFACT,
    "KIT": KIT,
    "CLIP.mp4": "clip.mp4",
    "A.json": "FP32.json",
    "B.json": "INT8.json",
}
"""What the words in capitals stand for here; `...`, more of the same, is left out."""

ENDS = {
    "edge-aver train --arch sa --fold 1 --freeze-backbone": (
        1,
        "train actors",
        "only a few clips stand for RAVDESS here",
    ),
    "edge-aver run --stream rtsp://CAMERA/1 --hop 0.48": (
        1,
        "--split",
        "no camera here; the parts are asked for first",
    ),
    "edge-aver build KIT": (1, "jetson-orin-nano", "TensorRT for Jetson exists on the Jetson alone"),
    f"edge-aver build {KIT}": (1, "jetson-orin-nano", "the same"),
    "edge-aver run clip.mp4 --target jetson-orin-nano": (1, "jetson-orin-nano", "no engine of a Jetson is here"),
    "edge-aver run clip.mp4 --target rtx-4090": (1, "", "no RTX card here: no engine, or one that is refused"),
    "edge-aver benchmark --target rtx-4090 --suite quick": ((1, 4), "", "the same"),
    "edge-aver benchmark --host user@device --target jetson-orin-nano": (1, "user@device", "no such machine"),
    "edge-aver benchmark --host user@jetson --target jetson-orin-nano --suite quick": (1, "user@jetson", "the same"),
    "edge-aver benchmark --host user@box --target openvino-cpu --suite quick": (1, "user@box", "the same"),
    "edge-aver compare FP32.json INT8.json --gate accuracy": (4, "INCONCLUSIVE", "60 clips decide nothing"),
}
"""Commands that cannot end with status 0 here: exit status, a word of what is said, the reason."""

ELSEWHERE = {
    "edge-aver demo": "tests/test_demo.py",
    "edge-aver demo --serve": "tests/viewer/test_viewer_command.py",
    "edge-aver demo --serve --port 0 --open": "tests/viewer/test_viewer_command.py",
    "edge-aver export --arch sa --precision int8 --tune": "tests/test_tuning.py",
    "edge-aver benchmark --suite end-to-end --data CLIPS": "tests/benchmarks/test_front_end.py",
    "edge-aver benchmark --suite end-to-end --arch sa --precision int8 --target openvino-cpu --data CLIPS": (
        "tests/benchmarks/test_front_end.py"
    ),
    "edge-aver benchmark --suite backbones --data FER2013.zip": "tests/study/test_study_run.py",
    "edge-aver benchmark --suite backbones --data fer2013.zip": "tests/study/test_study_run.py",
    "edge-aver benchmark --suite backbones-trial --data fer2013.zip --train": "tests/study/test_study_run.py",
    "edge-aver benchmark --suite backbones --data fer2013.zip --train --backbone VGG16 --backbone EfficientNetV2-B0"
    " --epochs 5": "tests/study/test_study_run.py",
    "edge-aver prepare --corpus manifest --data clips.csv --folds 5": "tests/test_own_clips.py",
    "edge-aver prepare --corpus manifest --data clips.csv --name office --folds 5 --plan": "tests/test_own_clips.py",
    "edge-aver prepare --corpus manifest --data clips.csv --name office --folds 5": "tests/test_own_clips.py",
    "edge-aver train --arch sa --corpus office --fold 1 --freeze-backbone": "tests/test_own_clips.py",
    "edge-aver export --arch sa --corpus office --fold 1 --precision int8": "tests/test_own_clips.py",
    "edge-aver benchmark --corpus office --fold 1": "tests/test_own_clips.py",
    "edge-aver export --model my_net:make --model-spec my_net.toml --checkpoint W.safetensors --precision int8": (
        "tests/test_own_network.py"
    ),
    "edge-aver sweep cpu": "tests/sweep/test_sweep_run.py",
    "edge-aver prepare --corpus crema-d --data CREMA-D": "tests/test_own_clips.py",
    'eval "$(edge-aver --show-completion bash)"': "tests/test_completion.py",
}
"""Commands that never end, or take ten minutes to hours: the tests that run the same on a small scale."""

WHOLE_PAGES = {
    "contract": "tests/bundle/test_contract.py",
    "cpp": "tests/examples/test_cpp_example.py",
    "machines": "tests/cluster/test_cluster_sweep.py",
    "own-network": "tests/test_own_network.py",
}
"""Included pages whose commands are run, one by one, by tests of their own."""

LONG = (
    "edge-aver export --arch sa",
    "edge-aver benchmark --suite quick",
    "edge-aver benchmark --suite smoke --golden",
    "edge-aver benchmark --modality",
    "edge-aver run --stream talk.mp4",
    f"scp -r {KIT}",
    "python3 -m venv",
    ". .venv",
    # The page on bundles does the same, signed.
    "edge-aver bundle ARTIFACT",
    f"edge-aver bundle {ARTIFACT} {ARTIFACT.replace('.openvino', '.onnx')} -o sa.aver\n",
    "scp sa.aver user@box:",
    "edge-aver verify sa.aver\n",
    "edge-aver run clip.mp4 --bundle sa.aver --threads",
)
"""How commands begin (or, with a line's end, are) that take long, and those that need them: run with -m slow."""


def is_long(line):
    return f"{line}\n".startswith(LONG)


def own(line):
    """Words of a command of edge-aver, without what the shell does with its output; None for another program's."""
    words = shlex.split(line)
    if words[:1] != ["edge-aver"]:
        return None
    words = words[1 : words.index(">") if ">" in words else None]
    return [MEANT.get(word, word) for word in words if word != "..."]


def distinct(lines):
    return list(dict.fromkeys(lines))


EVERY = all_typed(ROOT)
OWN = distinct(command.line for command in EVERY if own(command.line) is not None)
OTHERS = distinct(command.line for command in EVERY if own(command.line) is None and command.page not in WHOLE_PAGES)


def test_the_pages_show_commands():
    assert {command.page for command in EVERY} > {"README", "quick-start", "jetson", "rtx", "cpu", "report"}
    assert {own(line)[0] for line in OWN} >= set(COMMANDS)


@pytest.mark.parametrize("line", OWN)
def test_a_command_parses(line):
    """By the command line itself: unknown options, names, targets and suites are refused here as they are there."""
    command, *words = own(line)
    if command.startswith("--"):
        assert cli._run([command, *words]) == 0
    else:
        assert not COMMANDS[command].make_context(command, list(words)).args


def test_the_lists_hold_nothing_that_no_page_shows():
    shown = {command.line for command in EVERY}

    assert set(ENDS) | set(ELSEWHERE) <= shown
    assert all(any(f"{line}\n".startswith(start) for line in shown) for start in LONG)
    assert not set(ENDS) & set(ELSEWHERE)
    assert set(WHOLE_PAGES) <= set(pages(ROOT))


@pytest.mark.parametrize(("line", "test"), [*ELSEWHERE.items(), *WHOLE_PAGES.items()])
def test_what_is_run_elsewhere_has_a_test_there(line, test):
    text = (ROOT / test).read_text()

    known = {
        "cpp": ["examples", "README.md"],
        "contract": ["CONTRACT.md"],
        "machines": ["cluster"],
        "own-network": ["OWN_NETWORK.md"],
    }
    words = known.get(line) or own(line) or ["show-completion"]
    assert words[0] in text
    assert re.search(r"^def test_", text, re.MULTILINE)


def make_folder(folder, exported):
    """What the pages speak of: a demo's workspace, a clip, RAVDESS, FER2013, results and predictions."""
    shutil.copytree(exported, folder / "workspace")
    demo = folder / "workspace/corpora/synthetic/Video_Speech_Actor_01/Actor_01/01-01-03-01-01-01-01.mp4"
    write_clip(demo, actor=1, emotion=2)
    for name in ("clip.mp4", "RAVDESS/Actor_01/01-01-03-01-01-01-01.mp4", "RAVDESS/Actor_09/01-01-03-01-01-01-09.mp4"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(demo, folder / name)
    shutil.copy(demo, folder / "talk.mp4")
    write_recordings(folder / "RAVDESS", emotions=range(2))
    write_zip(folder / "FER2013.zip", drawn_faces(3))
    kit = tiny_kit(folder)
    shutil.move(kit, folder / KIT)
    shutil.move(sidecar_path(kit), sidecar_path(folder / KIT))
    for name, scale, precision in (("FP32.json", 2.0, "fp32"), ("INT8.json", 1.0, "int8")):
        path = write_result(sample_result()(precision, scale=scale), folder / "workspace" / "results")
        shutil.copy(path, folder / name)
        write_predictions(folder / name.lower().replace("json", "csv"), clips=8)
    stand_ins(folder / "bin")


def sample_result():
    """The maker of results that tests/benchmarks has."""
    spec = importlib.util.spec_from_file_location("benchmarks_conftest", ROOT / "tests" / "benchmarks" / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.sample_result


def stand_ins(folder):
    """`ssh` that finds no such machine, and `scp` that copies into a folder of this one."""
    folder.mkdir()
    (folder / "ssh").write_text("#!/bin/sh\necho 'ssh: Could not resolve hostname' >&2\nexit 255\n")
    (folder / "scp").write_text(
        '#!/bin/sh -e\nmkdir -p device\n[ "$1" = -r ] && shift\n'
        'while [ $# -gt 1 ]; do cp -r "$1" device/; shift; done\ncase "$1" in user@*:*) ;; *) exit 2;; esac\n'
    )
    for name in ("ssh", "scp"):
        (folder / name).chmod(0o755)


@pytest.fixture(scope="module")
def place(exported_workspace, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reader")
    make_folder(folder, exported_workspace.root)
    return folder


@pytest.fixture
def reader(monkeypatch, capsys):
    """Somebody in a folder, who types a command line and sees its exit status and all that it prints."""

    def sits_in(folder):
        monkeypatch.chdir(folder)
        monkeypatch.delenv("EDGE_AVER_WORKSPACE", raising=False)
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        monkeypatch.setenv("EDGE_AVER_CACHE", str(folder / "cache"))
        monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
        return type_in

    def type_in(line):
        if (words := own(line)) is not None:
            status = cli._run(words)
            captured = capsys.readouterr()
            return status, captured.out + captured.err
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    return sits_in


DONE = set()
"""What was run in the folder already: pages show the same commands."""


def run_page(name, type_in, lines):
    for line in lines:
        status, word, _ = ENDS.get(line, (0, "", ""))
        got, said = type_in(line)
        assert got in (status if isinstance(status, tuple) else (status,)), f"{name}: {line}\n{said}"
        assert word.lower() in said.lower(), f"{name}: {line}\n{said}"
        assert "Traceback" not in said


def runnable(name):
    """Commands of a page that can be run here: edge-aver's, and programs that are small."""
    lines = [command.line for command in typed(ROOT, name)]
    small = ("openssl ", "scp ", "mkdir ", "python3 -m venv")
    if any(line.startswith("python3 -m venv") for line in lines):
        small += (". .venv",)
    return [line for line in lines if line not in ELSEWHERE and (own(line) is not None or line.startswith(small))]


PAGES = [name for name in pages(ROOT) if name not in WHOLE_PAGES and runnable(name)]


@pytest.mark.parametrize("name", PAGES)
def test_the_quick_commands_of_a_page_end_as_it_says(name, reader, place):
    lines = [line for line in runnable(name) if not is_long(line) and line not in DONE]
    DONE.update(lines)

    run_page(name, reader(place), lines)


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_all_commands_of_a_page_end_as_it_says(name, reader, exported_workspace, tmp_path):
    """In a folder of its own, in the order of the page."""
    make_folder(tmp_path, exported_workspace.root)

    run_page(name, reader(tmp_path), runnable(name))


def test_other_programs_get_what_exists():
    """make, pip, docker: targets, extras, constraints and files that are there; the rest is run above."""
    makefile = (ROOT / "Makefile").read_text()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for line in OTHERS:
        program, *words = shlex.split(line)
        if program == "make":
            assert re.search(rf"^{words[0]}:", makefile, re.MULTILINE), line
        elif program == "pip":
            named = {extra for word in words for extra in re.findall(r"\.\[([\w,-]+)\]", word)}
            assert named, line
            assert {extra for group in named for extra in group.split(",")} <= set(extras), line
            assert "-c" not in words or (ROOT / words[words.index("-c") + 1]).is_file(), line
        elif program == ".":
            assert "VENV ?= .venv\n" in makefile
            assert words == [".venv/bin/activate"], line
        elif program == "docker" and words[0] == "build":
            assert (ROOT / words[words.index("-f") + 1]).is_file(), line
        elif program == "docker":
            image = next(word for word in words if word.startswith("edge-aver:"))
            assert any(image in other for other in OTHERS if "docker build" in other), line
            command, *rest = words[words.index(image) + 1 :]
            assert not COMMANDS[command].make_context(command, rest).args
        else:
            assert line in ELSEWHERE or any(line in runnable(name) for name in PAGES), f"{line}: run by nothing"


def test_the_python_of_the_pages_names_what_exists():
    """What they import, and the attributes of `edge_aver.runtime` that they use."""
    code = "\n".join(
        block
        for name, path in pages(ROOT).items()
        if name not in WHOLE_PAGES
        for block in re.findall(r"^```python\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)
    )
    imports = "\n".join(re.findall(r"^(?:import|from) [^\n]+", code, re.MULTILINE))

    assert "edge_aver.runtime.load(" in code
    done = subprocess.run([sys.executable, "-c", imports + "\nedge_aver.runtime.load"], cwd=ROOT, check=False)
    assert done.returncode == 0
