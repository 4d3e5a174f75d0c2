"""What a study of backbones measures and how it trains, as a suite's TOML declares it."""

from dataclasses import dataclass

from edge_aver.errors import DeclarationError
from edge_aver.models.fer_protocol import FerTraining

__all__ = ["BackbonesPart", "StudyNetwork"]


@dataclass(frozen=True, kw_only=True)
class StudyNetwork:
    """A network of the study: the paper's name, timm's, and what differs between them."""

    name: str
    timm: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class BackbonesPart:
    """What a suite measures of bare backbones, one face at a time.

    Attributes:
        calibration_faces: that int8 is calibrated on.
        budget_mb: largest model, of 10^6 bytes.
        level: of the intervals that decide on ties.
        networks: to take from timm.
        training: where accuracy is asked for.
    """

    calibration_faces: int
    budget_mb: float
    level: float
    networks: tuple[StudyNetwork, ...]
    training: FerTraining

    def named(self, names: tuple[str, ...]) -> tuple[StudyNetwork, ...]:
        """The networks asked for by either name, in any case; all where none is.

        Raises:
            DeclarationError: an unknown name.
        """
        known = {key.lower(): item for item in self.networks for key in (item.name, item.timm)}
        for name in names:
            if name.lower() not in known:
                raise DeclarationError(
                    f"unknown backbone {name!r}; known: {', '.join(item.name for item in self.networks)}"
                )
        wanted = {known[name.lower()].name for name in names}
        return tuple(item for item in self.networks if not wanted or item.name in wanted)
