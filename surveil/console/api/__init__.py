"""The endpoints below /api/v1, one module for each subject."""
