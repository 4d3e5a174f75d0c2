"""The help of the command line: a first page, in the order of work, in the words of the documentation."""

import re

import pytest
import typer.main

from edge_aver import cli
from edge_aver.commands import overview
from edge_aver.commands.overview import EXAMPLES, INTRODUCTION, SECTIONS

GROUP = typer.main.get_command(cli.app)


@pytest.fixture
def page(capsys):
    """What `edge-aver --help` prints."""
    assert cli._run(["--help"]) == 0
    return capsys.readouterr().out


def one_line(text):
    return " ".join(text.split())


def test_every_command_stands_in_one_section():
    listed = [name for commands in SECTIONS.values() for name in commands]

    assert sorted(listed) == sorted(GROUP.commands), (
        "edge_aver.commands.overview.SECTIONS lists the commands by section"
    )


def test_sections_are_printed_in_the_order_of_work_each_command_with_its_line(page):
    places = [page.index(f"{title}:\n") for title in SECTIONS]

    assert places == sorted(places)
    for commands in SECTIONS.values():
        for name, text in commands.items():
            assert re.search(rf"^  {name} +{re.escape(text)}$", page, re.MULTILINE)


def test_a_command_without_a_section_is_not_lost(capsys, monkeypatch):
    monkeypatch.setattr(overview, "SECTIONS", {name: SECTIONS[name] for name in SECTIONS if name != "Run"})

    assert cli._run(["--help"]) == 0
    assert re.search(r"^Others:\n  run +Recognise", capsys.readouterr().out, re.MULTILINE)


def test_the_first_page_of_the_documentation_says_the_same(page, repository):
    first = (repository / "docs" / "index.md").read_text()
    plain = one_line(first.replace("`", ""))

    for paragraph in INTRODUCTION.strip().split("\n\n"):
        assert one_line(paragraph) in plain
        assert one_line(paragraph) in one_line(page)
    tables = re.findall(r"^### (.+)\n\n(?:\|.*\n){2}((?:\|.*\n)+)", first, re.MULTILINE)
    told = {
        title: dict(re.findall(r"^\| `edge-aver ([\w-]+)` \| (.+) \|$", rows, re.MULTILINE)) for title, rows in tables
    }
    assert told == SECTIONS
    assert list(told) == list(SECTIONS)
    for line in EXAMPLES.split("\n"):
        assert line in page
        assert line in first


def test_examples_parse(page):
    examples = [line.split() for line in EXAMPLES.splitlines() if line]

    assert len(examples) == 3
    for _, command, *words in examples:
        assert not GROUP.commands[command].make_context(command, words).args


def test_no_line_is_wider_than_a_terminal(page):
    assert max(map(len, page.splitlines())) <= 80
