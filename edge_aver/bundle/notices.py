"""What a bundle tells people: the licences of what is in it, where it came from, what made it, and how to run it."""

from collections.abc import Mapping
from pathlib import Path

from edge_aver import __version__
from edge_aver.bundle.detector import Detector
from edge_aver.files import json_text
from edge_aver.spec import ModelSpec

__all__ = ["corpus_licence", "notice_members"]

_TEXTS = Path(__file__).parent / "licences"
_CONTRACT = Path(__file__).parent / "CONTRACT.md"

_RAVDESS = "RAVDESS (Livingstone and Russo, 2018, doi:10.5281/zenodo.1188976), CC BY-NC-SA 4.0: non-commercial use"
_CORPORA: Mapping[str, str] = {
    "ravdess": f"Trained on {_RAVDESS}; whether its terms reach the weights is for you to judge.",
    "composite": f"Trained on speech of {_RAVDESS}, joined with faces of FER2013 (Goodfellow et al., 2013), whose "
    "pictures were collected from the web for research and carry no licence; whether these terms reach the weights is "
    "for you to judge.",
    "crema-d": "Trained on CREMA-D (Cao et al., 2014, doi:10.1109/TAFFC.2014.2336244), Open Database License 1.0; "
    "whether its terms reach the weights is for you to judge.",
    "synthetic": "Trained on drawn faces and generated voices that edge-aver made: nobody's data.",
}


def corpus_licence(corpus: str) -> str:
    """What is known of the terms of the clips that a network was trained on."""
    unknown = f"Trained on corpus {corpus!r}, whose terms edge-aver does not know: ask whoever trained it."
    return _CORPORA.get(corpus, unknown)


def notice_members(spec: ModelSpec, detector: Detector, tools: Mapping[str, str]) -> dict[str, bytes]:
    """The members of a bundle that hold licence texts, provenance and the contract.

    Args:
        spec: of the network.
        detector: that finds the faces.
        tools: library name to version, of what bundled it.
    """
    provenance = {
        "edge_aver": __version__,
        "architecture": spec.architecture,
        "corpus": spec.corpus,
        "corpus_licence": corpus_licence(spec.corpus),
        "note": spec.note,
        "fold": spec.fold,
        "backbone_weights": spec.backbone_weights,
        "checkpoint_sha256": spec.checkpoint_sha256,
        "trained_and_exported_with": dict(spec.tool_versions),
        "bundled_with": dict(tools),
        "detector": detector.source,
        "golden_clip": "drawn face and generated voice, made by edge-aver: of nobody",
        "licences": {
            "code, golden clip": "licences/apache-2.0.txt",
            "face detector (artifacts/mtcnn.detector)": "licences/facenet-pytorch.txt",
        },
    }
    texts = {f"licences/{path.name}": path.read_bytes() for path in sorted(_TEXTS.glob("*.txt"))}
    return {**texts, _CONTRACT.name: _CONTRACT.read_bytes(), "provenance.json": json_text(provenance).encode()}
