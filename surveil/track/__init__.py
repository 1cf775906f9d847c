"""Tracking: detections of successive frames become objects with an id. All times are in seconds."""
