"""What the README and the pages of the guide tell people to type."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

SHELLS = ("console", "bash", "sh")
SNIPPET = re.compile(r'^--8<-- "([^":]+)(?::(\d+):)?"$', re.MULTILINE)


@dataclass(frozen=True)
class Typed:
    """One command line: the page that shows it, and its words as a shell would split them."""

    page: str
    line: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.line)


def pages(repository: Path) -> dict[str, Path]:
    """The README and every page, by name."""
    return {"README": repository / "README.md"} | {
        path.stem: path for path in sorted((repository / "docs").glob("*.md"))
    }


def expanded(path: Path, repository: Path) -> str:
    """A page as the site shows it: with what it includes."""

    def included(match: re.Match[str]) -> str:
        lines = (repository / match[1]).read_text().splitlines()
        return "\n".join(lines[int(match[2] or 1) - 1 :])

    return SNIPPET.sub(included, path.read_text())


def typed(repository: Path, name: str) -> list[Typed]:
    """Every command of a page in order: continued lines are joined, comments are left out."""
    text = expanded(pages(repository)[name], repository)
    lines = []
    for language, block in re.findall(r"^```(\w*)[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        if language in SHELLS:
            for line in block.replace("\\\n", " ").splitlines():
                command = re.sub(r"(?:^|\s+)#.*", "", line).strip()
                lines += [Typed(name, command)] if command else []
    return lines


def all_typed(repository: Path) -> list[Typed]:
    """The same of all pages, the README first."""
    return [command for name in pages(repository) for command in typed(repository, name)]
