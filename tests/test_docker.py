"""The Dockerfiles, which no test can build here: what they copy, install and start exists."""

import re
import shlex

import pytest
import tomllib

NAMES = ("cpu", "workstation")


@pytest.fixture(params=NAMES)
def instructions(request, repository):
    """(instruction, rest) of one Dockerfile, continued lines joined."""
    text = (repository / "docker" / f"{request.param}.Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines]


def test_there_is_one_for_each_runtime(repository):
    assert {path.name for path in (repository / "docker").iterdir()} == {f"{name}.Dockerfile" for name in NAMES}


def test_what_is_copied_exists_and_reaches_the_builder(instructions, repository):
    ignored = (repository / ".dockerignore").read_text().splitlines()
    copied = [shlex.split(rest)[:-1] for name, rest in instructions if name == "COPY" and "--from" not in rest]
    sources = [source for group in copied for source in group]

    assert "*" in ignored
    for source in sources:
        assert (repository / source).exists(), source
        assert f"!{source}" in ignored, source
    # What hatchling needs to build the wheel.
    project = tomllib.loads((repository / "pyproject.toml").read_text())
    needed = {project["project"]["readme"], *project["project"]["license-files"]}
    needed |= set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"])
    assert needed | {"pyproject.toml", "edge_aver", "constraints.txt"} == set(sources)


def test_extras_and_constraints_are_the_projects(instructions, repository):
    extras = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    installs = [rest for name, rest in instructions if name == "RUN" and "pip install" in rest]

    assert len(installs) == 1
    (named,) = re.findall(r"'\.\[([\w,-]+)\]'", installs[0])
    assert set(named.split(",")) <= set(extras)
    assert "-c constraints.txt" in installs[0]


def test_images_are_pinned_and_the_program_runs_as_nobody_special(instructions):
    images = [rest.split()[0] for name, rest in instructions if name == "FROM"]
    users = [rest for name, rest in instructions if name == "USER"]
    starts = [rest for name, rest in instructions if name == "ENTRYPOINT"]

    assert all(re.fullmatch(r"python:3\.11\.\d+-slim-\w+", image) for image in images)
    assert users == ["aver"]
    assert starts == ['["edge-aver"]']


@pytest.mark.parametrize("name", NAMES)
def test_they_say_that_they_were_not_built(repository, name):
    assert "Not built anywhere yet" in (repository / "docker" / f"{name}.Dockerfile").read_text()
    assert "Neither has been built yet" in (repository / "docs" / "install.md").read_text()
