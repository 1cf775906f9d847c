"""The tracks of a frame, as they are drawn over the picture."""

from __future__ import annotations

from surveil.console.live.wire import Message, message
from surveil.engine import Step
from surveil.types import Observation, Track


def tracks_message(camera: str, at: float, observation: Observation, step: Step) -> Message:
    """Return the message of one frame's tracks; boxes are in fractions of the picture."""
    size = (observation.width, observation.height)
    told = [_told(track, size, believed=True) for track in step.tracks]
    told += [_told(track, size, believed=False) for track in step.doubtful]
    return message(
        {
            "type": "tracks",
            "camera": camera,
            "at": round(at, 4),
            "width": size[0],
            "height": size[1],
            "tracks": told,
        }
    )


def _told(track: Track, size: tuple[int, int], *, believed: bool) -> dict[str, object]:
    box = [round(float(value) / size[i % 2], 5) for i, value in enumerate(track.box)]
    return {
        "id": track.id,
        "label": track.label,
        "score": round(float(track.score), 3),
        "box": box,
        "believed": believed,
    }
