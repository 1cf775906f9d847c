"""Tests of the detector: tiny real ONNX models, one for each decoder."""
