"""Where a workspace keeps what: prepared clips, checkpoints, artifacts, results and reports."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Workspace"]


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """The folder that the commands read from and write to (`--workspace`, `EDGE_AVER_WORKSPACE`)."""

    root: Path

    def prepared(self, corpus: str) -> Path:
        """The prepared store of a corpus; of one with constants of a network of one's own, by its `store_name`."""
        return self.root / "prepared" / corpus

    def corpus(self, corpus: str) -> Path:
        """Media that edge-aver itself generated (the synthetic corpus)."""
        return self.root / "corpora" / corpus

    @property
    def checkpoints(self) -> Path:
        """Trained networks, as safetensors."""
        return self.root / "checkpoints"

    @property
    def artifacts(self) -> Path:
        """What builds leave for targets, with their sidecars."""
        return self.root / "artifacts"

    @property
    def results(self) -> Path:
        """Benchmark results, as JSON."""
        return self.root / "results"

    @property
    def sweeps(self) -> Path:
        """What the cells of each grid came to."""
        return self.root / "sweeps"

    @property
    def reports(self) -> Path:
        """HTML pages made from results."""
        return self.root / "reports"

    @property
    def cache(self) -> Path:
        """What can be made again: frame features of frozen backbones, resumable state."""
        return self.root / "cache"
