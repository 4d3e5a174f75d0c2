"""The guide as a site: built strictly, without a request to anywhere, and with what the pages include."""

import importlib.util
import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from doc_pages import SNIPPET, pages

OUTSIDE = re.compile(r"^(?:https?:)?//")


@pytest.fixture(scope="module")
def site(repository, tmp_path_factory):
    if importlib.util.find_spec("material") is None:
        pytest.skip("mkdocs-material is not installed: pip install '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    build(repository / "mkdocs.yml", folder)
    return folder


def build(config, folder, *, status=0):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", config, "-d", folder],
        capture_output=True,
        text=True,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done.stderr


class Fetched(HTMLParser):
    """What a browser fetches with a page, and where its links lead."""

    def __init__(self):
        super().__init__()
        self.fetched, self.linked = [], []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag in {"script", "img", "iframe", "source"} and values.get("src"):
            self.fetched.append(values["src"])
        if tag == "link" and values.get("href") and values.get("rel") not in {"prev", "next", "canonical"}:
            self.fetched.append(values["href"])
        if tag == "a" and values.get("href"):
            self.linked.append(values["href"])


def parsed(path):
    parser = Fetched()
    parser.feed(path.read_text())
    return parser


def test_every_page_is_built_and_stands_in_the_navigation(site, repository):
    built = {path.stem for path in site.glob("*.html")} - {"404"}

    assert built == set(pages(repository)) - {"README"}
    first = parsed(site / "index.html").linked
    assert {f"{name}.html" for name in built} <= {link.partition("#")[0] for link in first}


def test_a_page_fetches_only_what_lies_beside_it(site):
    for page in site.glob("*.html"):
        fetched = parsed(page).fetched
        assert fetched
        for address in fetched:
            assert not OUTSIDE.match(address), f"{page.name} fetches {address}"
            assert (site / address.partition("?")[0].lstrip("/")).is_file() or address == "."
    for style in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(?:https?:)?//|@import\s+[\"'](?:https?:)?//", style.read_text())


def test_links_outside_are_to_the_sources_alone(site):
    outside = {link for page in site.glob("*.html") for link in parsed(page).linked if OUTSIDE.match(link)}

    assert outside
    assert {link.split("/")[2] for link in outside} == {"doi.org"}


def test_included_files_are_shown_whole(site, repository):
    for name, path in pages(repository).items():
        for source, first in SNIPPET.findall(path.read_text()):
            text = (site / f"{name}.html").read_text()
            lines = (repository / source).read_text().splitlines()[int(first or 1) - 1 :]
            for heading in (line.lstrip("# ") for line in lines if re.match(r"#{1,3} \w", line)):
                assert re.search(rf"<h[123] [^>]*>{re.escape(heading.replace('`', ''))}", text), f"{name}: {heading}"


@pytest.mark.parametrize(
    "slip", ["[nowhere](nowhere.md)", "[no part](install.md#nowhere)", '--8<-- "export/NOWHERE.md"'], ids=str.split
)
def test_a_slip_ends_the_build(site, repository, tmp_path, slip):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text(f"# Slip\n\n{slip}\n")
    (docs / "install.md").write_text("# Install\n")
    config = (repository / "mkdocs.yml").read_text().partition("\nnav:")[0]
    (tmp_path / "mkdocs.yml").write_text(config)

    said = build(tmp_path / "mkdocs.yml", tmp_path / "site", status=1)

    assert "nowhere" in said.lower()


def test_every_folder_and_file_that_pages_link_to_exists(repository):
    """In the checkout too, where the README and the pages are read as they lie."""
    for name, path in pages(repository).items():
        for address in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
            assert (path.parent / address).exists(), f"{name}: {address}"
