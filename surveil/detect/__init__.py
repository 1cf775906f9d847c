"""Pictures in, objects out: ONNX Runtime sessions, letterboxing, decoders of many models' outputs, merging of crops.

`Detector` is what others use; a decoder is one file in `decoders/` and one line in `DECODERS`.
"""
