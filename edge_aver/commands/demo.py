"""`demo`: the whole line on synthetic actors, or a page that shows what a network sees."""

from pathlib import Path
from typing import Annotated

import typer

from edge_aver import screens
from edge_aver.commands.options import CPU_TARGETS, WORKSPACE, KeyOption, WorkersOption, WorkspaceOption, refuse
from edge_aver.doctor import require
from edge_aver.workspace import Workspace

__all__ = ["demo"]


def demo(
    workspace: WorkspaceOption = WORKSPACE,
    workers: WorkersOption = None,
    serve: Annotated[bool, typer.Option("--serve", help="Open a local page that shows what a network sees.")] = False,
    artifact: Annotated[Path | None, typer.Option("--artifact", help="With --serve: not the newest.")] = None,
    bundle: Annotated[Path | None, typer.Option("--bundle", metavar="X.aver", help="Instead of an artifact.")] = None,
    key: KeyOption = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="8000 by default; 0: a free one.")
    ] = None,
    host: Annotated[str | None, typer.Option("--host", help="To listen on; by default this machine alone.")] = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Show the page in the system's browser.")] = False,
) -> None:
    """Run the whole line on synthetic actors: corpus, training, INT8 export, benchmark, report.

    With --serve nothing is run: a page on 127.0.0.1 takes clips and shows faces, probabilities and stage times.
    """
    if serve:
        refuse("demo --serve", {"--workers": workers})
        if artifact and bundle:
            raise typer.BadParameter("--serve takes one --artifact or one --bundle")
        if bundle and bundle.suffix != ".aver":
            raise typer.BadParameter(f"--bundle {bundle}: a bundle's name ends in .aver")
        if key and not bundle:
            raise typer.BadParameter("--key goes with --bundle")
        from edge_aver.viewer.serve import choose_network
        from edge_aver.viewer.serve import serve as serve_page

        network = artifact or bundle or choose_network(Workspace(root=workspace))
        port = 8000 if port is None else port
        serve_page(network, key=key, host=host or "127.0.0.1", port=port, open_browser=open_browser)
        return
    others: dict[str, object] = {
        "--artifact": artifact,
        "--bundle": bundle,
        "--key": key,
        "--port": port,
        "--host": host,
    }
    others["--open"] = open_browser or None
    refuse("demo without --serve", others)
    require("prepare", "export", "report")
    from edge_aver.demo import run_demo

    screens.show_demo(run_demo(Workspace(root=workspace), targets=CPU_TARGETS, workers=workers))
