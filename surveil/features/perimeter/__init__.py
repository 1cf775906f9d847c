"""What moves on its own path through a zone where nobody should be, whatever the model takes it for."""
