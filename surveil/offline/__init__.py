"""Work on recorded footage and crops: learning, training, evaluation. Not imported by the daemon."""
