"""The subcommand `benchmark`."""

from pathlib import Path
from typing import Annotated

import typer

from edge_aver import screens
from edge_aver.cluster import connected
from edge_aver.commands.options import (
    ANY_ARCH,
    ARCHS_BEGUN,
    CPU_TARGETS,
    PRECISIONS_BEGUN,
    SUITE,
    SUITES,
    SUITES_BEGUN,
    TARGET,
    TARGETS_BEGUN,
    WORKSPACE,
    ClusterOption,
    HostOption,
    JsonOption,
    MissingOption,
    ModalityOption,
    ThreadsOption,
    WorkspaceOption,
    refuse_for,
)
from edge_aver.workspace import Workspace

__all__ = ["benchmark"]


def benchmark(
    arch: Annotated[
        list[str] | None, typer.Option("--arch", callback=ANY_ARCH, autocompletion=ARCHS_BEGUN, help="All by default.")
    ] = None,
    precision: Annotated[
        list[str] | None, typer.Option("--precision", autocompletion=PRECISIONS_BEGUN, help="All by default.")
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option("--target", callback=TARGET, autocompletion=TARGETS_BEGUN, help="All by default."),
    ] = None,
    corpus: Annotated[list[str] | None, typer.Option("--corpus", help="Trained on; all by default.")] = None,
    fold: Annotated[int | None, typer.Option("--fold", min=1, help="All by default.")] = None,
    suite: Annotated[
        str,
        typer.Option("--suite", callback=SUITE, autocompletion=SUITES_BEGUN, help=f"How much to measure: {SUITES}."),
    ] = "smoke",
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", help="For end-to-end: folder of media files, not the fold's clips; may be repeated."),
    ] = None,
    modality: ModalityOption = None,
    missing_faces: MissingOption = None,
    golden: Annotated[
        bool, typer.Option("--golden", help="Corpus not prepared here: latency on made-up clips, no accuracy.")
    ] = False,
    host: HostOption = None,
    ssh_option: Annotated[
        list[str] | None, typer.Option("--ssh-option", metavar="KEY=VALUE", help="With --host: as of ssh -o.")
    ] = None,
    remote_command: Annotated[
        str | None, typer.Option("--remote-command", help="With --host: edge-aver there, if off the PATH.")
    ] = None,
    backbone: Annotated[
        list[str] | None, typer.Option("--backbone", help="Suite backbones: of its networks; all by default.")
    ] = None,
    train_backbones: Annotated[
        bool, typer.Option("--train", help="Suite backbones: train and test them on FER2013 (--data).")
    ] = False,
    freeze_backbone: Annotated[
        bool, typer.Option("--freeze-backbone", help="With --train: the classifier only.")
    ] = False,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="With --train: at most this many.")] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Suite backbones: the paper's accuracies alone; measures nothing.")
    ] = False,
    threads: ThreadsOption = None,
    cluster: ClusterOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    json_path: JsonOption = None,
) -> None:
    """Measure artifacts: accuracy with intervals, parameters, memory, latency; each in processes of its own.

    --modality and --missing-faces take lists (both,audio) and may be repeated: accuracy is measured under each.
    With --cluster accuracy is measured by its workers first, side by side, and the rest here. With --host artifacts
    are copied by ssh and measured there; a kit is built and verified first.
    """
    from edge_aver.benchmarks.conditions import conditions_of
    from edge_aver.benchmarks.measure import evaluate, run_benchmark
    from edge_aver.benchmarks.suites import load_suite
    from edge_aver.bundle import choose_artifacts

    place, asked = Workspace(root=workspace), load_suite(suite)
    options: dict[str, object] = {
        "--backbone": backbone,
        "--train": train_backbones,
        "--freeze-backbone": freeze_backbone,
    }
    options |= {"--epochs": epochs, "--published": published}
    if cluster is not None:
        refuse_for("--cluster", {"--host": host, "--golden": golden})
        place = Workspace(root=workspace.absolute())
    if asked.backbones is not None:
        others = {"--arch": arch, "--modality": modality, "--missing-faces": missing_faces, "--golden": golden}
        refuse_for(suite, others | {"--host": host, "--cluster": cluster, "--corpus": corpus, "--fold": fold})
        if (freeze_backbone or epochs) and not train_backbones:
            raise typer.BadParameter("--freeze-backbone and --epochs go with --train")
        if published:
            rest = {"--data": data, "--train": train_backbones, "--backbone": backbone, "--target": target}
            refuse_for("--published", rest | {"--precision": precision})
        if len(data or ()) > 1 or (train_backbones and not data):
            raise typer.BadParameter("--train takes one --data: FER2013 as a zip, CSV or folder")
        from edge_aver.study import published_study, study_backbones

        if published:
            screens.show_published_backbones(published_study(asked, reports=place.reports), json_path)
            return
        study = study_backbones(
            asked,
            place,
            names=backbone or (),
            targets=target or CPU_TARGETS,
            precisions=precision or ("fp32", "int8"),
            data=data[0] if data else None,
            train=train_backbones,
            freeze_backbone=freeze_backbone,
            epochs=epochs,
            threads=threads,
        )
        screens.show_backbones(study, json_path)
        return
    refuse_for(suite, options)
    artifacts = choose_artifacts(
        place.artifacts,
        architecture=arch,
        precision=precision,
        target=target,
        corpus=corpus,
        fold=fold,
        kits=host is not None,
    )
    if host is not None:
        if data or modality or missing_faces:
            raise typer.BadParameter("--data, --modality and --missing-faces are not for --host: leave them out")
        from edge_aver.benchmarks.remote import benchmark_on
        from edge_aver.benchmarks.remote_shell import Host

        device = Host(destination=host, options=tuple(ssh_option or ()), program=remote_command or "edge-aver")
        screens.show_results(benchmark_on(device, artifacts, suite, results=place.results, threads=threads), json_path)
        return
    if ssh_option or remote_command:
        raise typer.BadParameter("--ssh-option and --remote-command go with --host")
    conditions = conditions_of(modality or (), [int(count) for count in missing_faces or ()])
    answered = None
    if cluster is not None:
        with connected(cluster) as executor:
            answered = evaluate(
                artifacts, place.prepared, asked, threads=threads, conditions=conditions, executor=executor
            )
    results = run_benchmark(
        artifacts,
        place.prepared,
        asked,
        results=place.results,
        threads=threads,
        data=data or (),
        checkpoints=place.checkpoints,
        conditions=conditions,
        golden=golden,
        answered=answered,
    )
    screens.show_results(results, json_path)
