"""Captioned photos to a trained model folder."""

import twobranch.embedding  # noqa: F401  before any module here imports ONNX Runtime
