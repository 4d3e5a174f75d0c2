"""From a trained audiovisual emotion recognition network to engine files on a device, and what the trip cost."""

import sys

__version__ = "0.1.0"

# `import openvino` (2026.4) reports itself to a web service, from a process that it starts for that; so does NNCF. Both
# do without where this package is missing. A tool that runs beside people's faces and voices reports to nobody.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
