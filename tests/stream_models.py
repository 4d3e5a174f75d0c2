"""The real `sa` network, untrained, built whole and in two, with the face detector beside it."""

from edge_aver.bundle import Artifact, open_artifact, write_artifact
from edge_aver.export.detector import ensure_detector
from edge_aver.export.engines import build_parts
from edge_aver.export.simplify import simplify
from edge_aver.export.trace import onnx_from_torch
from edge_aver.models.network import build_network
from edge_aver.spec import SPEC_KEY, ModelSpec
from edge_aver.targets import load_profile, runtime_module

SPEC = ModelSpec(architecture="sa", corpus="synthetic", fold=1, precision="fp32")


def split_artifacts(folder, targets=("onnxruntime-cpu", "openvino-cpu")):
    """Artifacts in `folder`, by target."""
    import torch

    torch.manual_seed(0)
    ensure_detector(folder)
    onnx_from_torch(build_network("sa"), folder / ".traced.onnx")
    lowered = folder / ".lowered.onnx"
    simplify(folder / ".traced.onnx", lowered)
    made = {}
    for target in targets:
        profile = load_profile(target)
        module = runtime_module(profile.runtime)
        artifact = Artifact(
            path=folder / f"aver-sa-synthetic-fold1-fp32{module.suffix}",
            target=target,
            runtime=profile.runtime,
            precision="fp32",
            spec=SPEC,
        )
        with write_artifact(artifact, folder=module.is_folder) as place:
            module.build(lowered, place, metadata={SPEC_KEY: SPEC.to_json()})
        build_parts(artifact, lowered, module, profile)
        made[target] = open_artifact(artifact.path)
    return made
