"""Train your own classifier, by transfer learning: from labelled pictures to one ONNX file that the daemon runs.

pictures → dataset → duplicates → split → preprocess → (augment) → features → head → evaluate → export.
What prepares a picture for training is the same code that prepares it for the running daemon.
"""
