"""Object detection: ONNX Runtime sessions, letterboxing, decoders of model outputs, merging of crops.

`Detector` is what others use; a decoder is one file in `decoders/` and one line in `DECODERS`.
"""
