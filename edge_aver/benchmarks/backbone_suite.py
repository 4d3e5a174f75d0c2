"""What a study of backbones measures and how it trains, as a suite's TOML declares it."""

from dataclasses import dataclass

from edge_aver.errors import DeclarationError

__all__ = ["BackbonesPart", "FerTraining", "StudyNetwork"]


@dataclass(frozen=True, kw_only=True)
class StudyNetwork:
    """A network of the study: the paper's name, timm's, and what differs between them."""

    name: str
    timm: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class FerTraining:
    """How networks are trained on FER2013: the paper's protocol (4.1.1) where it speaks, a choice where it is silent.

    Attributes:
        face_px: side that the 48 x 48 faces are brought to (chosen here).
        hidden: units between the features and the emotions (paper).
        outputs: of the classifier (paper: 8; FER2013 has seven emotions, the last one is never right).
        batch: faces a step (chosen here).
        learning_rate: of Adam (paper).
        epochs: at most this many (chosen here).
        plateau_patience, stop_patience: epochs without a lower validation loss before the rate is halved, and before
            training stops (the paper names both means without values).
        most_faces: of the train part, the first by a seeded shuffle; 0 takes all. Validation and test are always whole.
    """

    face_px: int
    hidden: int
    outputs: int
    batch: int
    learning_rate: float
    epochs: int
    plateau_patience: int
    stop_patience: int
    most_faces: int = 0


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
