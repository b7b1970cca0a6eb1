"""Pixels and words to unit vectors in one space."""

import os

__version__ = "0.1.0"

# From 1.29 on, ONNX Runtime keeps a device id and a queue of events under ~/.cache as soon as it is imported,
# and sends them to its maker. It looks for this variable only then, and every way into this program comes
# through here before; processes it starts inherit it. A value of the user's own, "0" too, is left as it is.
os.environ["ORT_DISABLE_TELEMETRY"] = os.environ.get("ORT_DISABLE_TELEMETRY") or "1"
