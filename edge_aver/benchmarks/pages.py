"""Pages that need nothing else: a shipped template with the style sheet and the script that all pages share."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_aver.benchmarks.formats import megabytes
from edge_aver.errors import MissingLibraryError

__all__ = ["render"]


def render(template: str, context: Mapping[str, Any]) -> str:
    """A page as HTML; every text in `context` is escaped.

    Args:
        template: name of a file beside this module.
        context: what the template shows.

    Raises:
        MissingLibraryError: the extra `report` is not installed.
    """
    try:
        import jinja2
        from markupsafe import Markup
    except ImportError as error:
        raise MissingLibraryError("jinja2", "report", "A report") from error
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_shipped),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["megabytes"] = megabytes
    style, script = (Markup(_shipped(f"report.{kind}")) for kind in ("css", "js"))
    return environment.get_template(template).render(context, style=style, script=script)


def _shipped(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8").strip()
