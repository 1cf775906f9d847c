"""The ONNX models: the embedded defaults, and a store for those that a user adds."""
