"""Measurements: scripts that print what the README and the reports in this folder quote."""

import twobranch  # noqa: F401  before any module here imports ONNX Runtime
