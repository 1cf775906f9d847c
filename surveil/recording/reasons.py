"""Reasons why a recording does not continue the previous one."""

from __future__ import annotations

from enum import StrEnum

PAUSE_S = 5.0
"""After so long without a packet the camera has paused."""


class Gap(StrEnum):
    """Why there is no video between two recordings."""

    NONE = ""
    """There is no gap."""
    CAMERA = "camera_lost"
    """The connection to the camera was lost."""
    PAUSED = "camera_paused"
    """The camera sent nothing for a while, on a connection that lasted."""
    OVERLOAD = "queue_full"
    """The disk was too slow, or the writer: packets were dropped."""
    DISK = "disk_error"
    """The disk was full or refused the write."""
    CODEC = "codec_unsupported"
    """MP4 cannot hold what the camera sent."""
    CLOCK = "clock_step"
    """The clock of this host was set; nothing is missing."""
    STOPPED = "stopped"
    """surveil did not run, or did not record the camera."""
    KILLED = "killed"
    """surveil ended without finishing the recording."""
    NOT_KEPT = "not_kept"
    """Deleted since: too old, too much, or without an event."""
    UNKNOWN = "unknown"
    """The index was lost, and the reason with it."""
    NOTHING = "no_recording"
    """There is none at an end of what was asked for: deleted, never made, or still being written."""
