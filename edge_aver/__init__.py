"""From a trained audiovisual emotion recognition network to engine files on a device, and what the trip cost."""

import os
import sys

__version__ = "0.1.0"

# `import openvino` (2026.4) reports itself to a web service, from a process that it starts for that; so does NNCF. Both
# do without where this package is missing. A tool that runs beside people's faces and voices reports to nobody.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

# ONNX Runtime (1.31) keeps a device's identifier in the home folder and sends what it runs to its maker, from
# its import on; it reads this once. Both names are its own, of different versions.
for _name in ("ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED"):
    os.environ.setdefault(_name, "1")
