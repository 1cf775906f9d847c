"""Work on recorded footage and crops: learning, training, evaluation. The daemon imports none of it."""
