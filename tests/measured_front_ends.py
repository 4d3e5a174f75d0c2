"""Raw values of a front end as a benchmark stores them, to be changed field by field."""

from typing import Any

from edge_aver.benchmarks.front_end_results import (
    ClipAgreement,
    EndToEndQuery,
    FreshRun,
    FrontEndMeasurements,
    MeasuredClip,
    PrepareRun,
    StackRound,
)
from edge_aver.benchmarks.machine import CpuUse


def sample_front_end() -> FrontEndMeasurements:
    names = ("one", "two", "three")
    return FrontEndMeasurements(
        given=False,
        clips=tuple(MeasuredClip(id=name, width_px=1280, height_px=720, sha256="ef" * 32) for name in names),
        rounds=tuple(
            sample_round(stack, names, faces_s + turn / 1000)
            for turn in range(3)
            for stack, faces_s in (("ours", 0.03), ("reference_together", 4.0), ("reference_singly", 3.0))
        ),
        agreement=tuple(sample_agreement(name) for name in names),
        fresh_runs=tuple(
            FreshRun(id=name, wall_s=1.1 + turn / 10, peak_bytes=200_000_000 + turn, modules=("edge_aver", "numpy"))
            for turn, name in enumerate(names)
        ),
        prepare_runs=tuple(
            PrepareRun(workers=workers, clips=40, wall_s=seconds)
            for workers, seconds in ((1, 10.0), (2, 5.5), (1, 10.4), (2, 5.7))
        ),
    )


def sample_round(stack: str, names: tuple[str, ...], faces_s: float) -> StackRound:
    stages_s = {"decode": 0.12, "faces": faces_s, "audio": 0.02, "network": 0.1}
    queries = tuple(
        EndToEndQuery(id=name, prediction="sad", total_s=sum(stages_s.values()) + 0.004, stages_s=stages_s)
        for name in names
    )
    return StackRound(stack=stack, queries=queries, refused={}, cpu_use=CpuUse(others_share=0.0, stolen_share=0.0))


def sample_agreement(name: str, **changes: Any) -> ClipAgreement:
    values: dict[str, Any] = {
        "reference_found": "1101",
        "found": "1101",
        "reference_boxes": ((0.0, 0.0, 10.0, 10.0),) * 3,
        "boxes": ((0.0, 0.0, 10.0, 9.5),) * 3,
        "reference_logits": (0.0, 2.0, *[0.0] * 6),
        "logits": (0.0, 1.0, *[0.0] * 6),
    }
    return ClipAgreement(id=name, **(values | changes))
