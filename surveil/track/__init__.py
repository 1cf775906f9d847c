"""Tracking: detections of one frame after the other become objects with an id, in seconds, not frames."""
