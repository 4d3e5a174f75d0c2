"""How backbones are trained on FER2013, and what came of it; needs no torch, so that suites can be read anywhere."""

from dataclasses import dataclass

from edge_aver.errors import DeclarationError

__all__ = ["FerOutcome", "FerTraining"]

_WEIGHTS = ("imagenet", "random")


@dataclass(frozen=True, kw_only=True)
class FerTraining:
    """How networks are trained on FER2013: the paper's protocol (4.1.1) where it speaks, a choice where it is silent.

    Attributes:
        weights: what training starts from: `imagenet` (timm's, from the Hugging Face hub or its cache; a network that
            timm has none of starts from random ones) or `random`.
        face_px: side that the 48 x 48 faces are brought to (chosen here).
        hidden: units between the features and the emotions (paper).
        outputs: of the classifier (paper: 8; FER2013 has seven emotions, the last one is never right).
        batch: faces a step (chosen here).
        learning_rate: of Adam (paper).
        epochs: at most this many (chosen here).
        plateau_patience, stop_patience: epochs without a lower validation loss before the rate is halved, and before
            training stops (the paper names both means without values).
        timeout_s: the longest that the training of one network may take.
        most_faces: of the train part, the first by a seeded shuffle; 0 takes all. Validation and test are always whole.
        freeze_backbone: train the classifier only, on features computed once, without augmentation.
        seed: of first weights, order and augmentation.
    """

    weights: str
    face_px: int
    hidden: int
    outputs: int
    batch: int
    learning_rate: float
    epochs: int
    plateau_patience: int
    stop_patience: int
    timeout_s: float
    most_faces: int = 0
    freeze_backbone: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        if self.weights not in _WEIGHTS:
            raise DeclarationError(f"training: weights {self.weights!r}, known: {', '.join(_WEIGHTS)}")
        counts = (self.face_px, self.hidden, self.batch, self.learning_rate, self.epochs, self.timeout_s)
        if min(counts) <= 0 or min(self.plateau_patience, self.most_faces) < 0 or self.stop_patience < 1:
            raise DeclarationError("training: counts, rates and times must be positive")
        if self.outputs < 7:
            raise DeclarationError(f"training: {self.outputs} outputs, FER2013 has 7 emotions")


@dataclass(frozen=True, kw_only=True)
class FerOutcome:
    """The test part answered with the weights that did best on the validation part.

    Attributes:
        correct, total: test faces.
        train_faces: that were learned from.
        parameters: backbone and classifier.
        file_bytes: of both, in fp32.
        epochs: trained before early stopping or the limit.
        weights: what training started from: `imagenet` or `random`.
        frozen: whether the classifier alone was trained.
    """

    correct: int
    total: int
    train_faces: int
    parameters: int
    file_bytes: int
    epochs: int
    weights: str
    frozen: bool
