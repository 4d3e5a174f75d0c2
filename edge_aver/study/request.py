"""What a study of backbones is asked for, and the key by which an interrupted one is found again."""

from dataclasses import asdict, dataclass
from pathlib import Path

from edge_aver.benchmarks.backbone_suite import StudyNetwork
from edge_aver.benchmarks.machine import describe_machine, tool_versions
from edge_aver.benchmarks.suites import Suite
from edge_aver.corpora.fer2013_parts import content_sha256
from edge_aver.corpora.study_faces import StudyFaces
from edge_aver.files import json_text, sha256_bytes
from edge_aver.models.fer_protocol import FerTraining
from edge_aver.quantize import load_recipe
from edge_aver.targets import load_profile

__all__ = ["StudyRequest", "Training"]


@dataclass(frozen=True, kw_only=True)
class Training:
    """FER2013 (`read_parts`), and how networks learn from it."""

    data: Path
    plan: FerTraining


@dataclass(frozen=True, kw_only=True)
class StudyRequest:
    """What to study.

    Attributes:
        suite: with a backbones part.
        networks: of that part.
        targets, precisions: each network is measured on all of them.
        faces: real ones for int8; made-up ones do for fp32.
        threads: CPU threads of every runtime; None leaves it to the runtime.
        training: None trains none.
    """

    suite: Suite
    networks: tuple[StudyNetwork, ...]
    targets: tuple[str, ...]
    precisions: tuple[str, ...]
    faces: StudyFaces
    threads: int | None = None
    training: Training | None = None

    def key(self) -> str:
        """What must agree for an interrupted study to go on: everything asked for, machine and tools.

        Files count by their content: one that was moved is the same, one that was changed is another.
        """
        asked: dict[str, object] = {"suite": asdict(self.suite), "threads": self.threads}
        asked |= {"networks": [asdict(network) for network in self.networks]}
        asked |= {"faces": [self.faces.origin, self.faces.sha256]}
        asked |= {"targets": [asdict(load_profile(name)) for name in self.targets]}
        asked |= {"precisions": [load_recipe(name).sha256 for name in self.precisions]}
        if self.training is not None:
            asked |= {"training": [content_sha256(self.training.data), asdict(self.training.plan)]}
        return sha256_bytes(json_text([asked, asdict(describe_machine()), tool_versions()]).encode())[:16]
