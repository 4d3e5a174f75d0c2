"""The processes of a study: what each is asked, and the answers that an interrupted study goes on from."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from edge_aver.benchmarks.backbone_suite import StudyNetwork
from edge_aver.benchmarks.processes import WorkerFailure, ask_process, without_places
from edge_aver.console import say
from edge_aver.files import json_text, write_text
from edge_aver.study.request import StudyRequest

__all__ = ["Answer", "Cases", "Place", "ask_worker"]

Answer = dict[str, Any]
"""Of a worker: what its case gives, or `error`."""


class Place(NamedTuple):
    """A cell of the study's table: a network on a target in a precision."""

    network: StudyNetwork
    target: str
    precision: str

    @property
    def told(self) -> str:
        """For people and as a file's name."""
        return f"{self.network.timm}-{Path(self.target).stem}-{self.precision}"


@dataclass(frozen=True, kw_only=True)
class Cases:
    """Asks for cases and keeps their answers, one file each.

    What failed is not kept: a study that goes on tries it again.

    Attributes:
        request: the study.
        folder: of this study alone.
        faces: `.npy` file of its faces.
    """

    request: StudyRequest
    folder: Path
    faces: Path

    def started_utc(self) -> str:
        """When the study began, in ISO 8601; with a remark where it goes on."""
        path = self.folder / "answers" / "started.json"
        if path.is_file():
            done = len(list(path.parent.glob("*.json"))) - 1
            say(f"Going on with an interrupted study: {done} cases are done")
        else:
            now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            write_text(path, json_text(now))
        return str(json.loads(path.read_text(encoding="utf-8")))

    def fetch(self, network: StudyNetwork) -> Answer:
        """Have the first weights of a training at hand."""
        return self._do(f"fetch-{network.timm}", {"case": "fetch", "name": network.timm})

    def build(self, place: Place) -> Answer:
        """Build what the target runs."""
        asked = {"case": "build", "name": place.network.timm, "target": place.target, "precision": place.precision}
        return self._do(f"build-{place.told}", asked | {"faces": str(self.faces), "folder": str(self.folder)})

    def measure(self, place: Place, artifact: str, repetition: int) -> Answer:
        """Ask `artifact` (a path within the folder) face after face.

        The suite's counts and times hold for all processes together: each takes its share.
        """
        suite = self.request.suite
        asked = {
            "case": "measure",
            "artifact": str(self.folder / artifact),
            "faces": str(self.faces),
            "target": place.target,
            "threads": self.request.threads,
            "queries": -(-suite.network_queries // suite.processes),
            "min_duration_s": suite.min_duration_s / suite.processes,
            "warmup_queries": suite.warmup_queries,
        }
        return self._do(f"measure{repetition}-{place.told}", asked)

    def train(self, network: StudyNetwork) -> Answer:
        """Train on FER2013 and answer its test part; only where training is asked for."""
        training = self.request.training
        assert training is not None
        files = {"data": str(training.data), "state": str(self.folder / f"{network.timm}.pt")}
        asked = {"case": "train", "name": network.timm, "plan": asdict(training.plan), **files}

        def heard(line: str) -> None:
            say(f"{network.name}: {line}")

        return self._do(f"train-{network.timm}", asked, timeout_s=training.plan.timeout_s, heard=heard)

    def _do(
        self,
        name: str,
        asked: Mapping[str, Any],
        *,
        timeout_s: float | None = None,
        heard: Callable[[str], None] | None = None,
    ) -> Answer:
        path = self.folder / "answers" / f"{name}.json"
        if path.is_file():
            kept: Answer = json.loads(path.read_text(encoding="utf-8"))
            return kept
        answer = ask_worker(asked, timeout_s or self.request.suite.timeout_s, heard)
        if "error" not in answer:
            write_text(path, json_text(answer))
        return answer


def ask_worker(asked: Mapping[str, Any], timeout_s: float, heard: Callable[[str], None] | None = None) -> Answer:
    """Run one worker to its end; whatever goes wrong in it becomes `error`."""
    command = [sys.executable, "-m", "edge_aver.study.worker"]
    try:
        answer: Answer = json.loads(ask_process(command, json_text(asked), timeout_s=timeout_s, heard=heard))
    except WorkerFailure as error:
        answer = {"error": str(error)}
    except ValueError as error:
        answer = {"error": f"answered with something unreadable ({error})"}
    return answer | ({"error": without_places(answer["error"])} if "error" in answer else {})
