"""Webcams by OpenCV and V4L2: PyAV's wheel has no V4L2 input."""

from __future__ import annotations

import cv2
import numpy as np

from surveil.capture.address import device_number
from surveil.capture.causes import source_error
from surveil.capture.orientation import orientation
from surveil.capture.picture import ArrayPicture
from surveil.capture.settings import StreamSettings
from surveil.capture.source import Arrival, Decoded, Shot, StreamInfo
from surveil.errors import Cause


class WebcamSource:
    """A V4L2 device. Pictures have no time stamps: their arrival is their time."""

    live = True

    def __init__(self, settings: StreamSettings) -> None:
        self._url = settings.url
        self._fps = settings.fps
        self._shown = orientation(settings.rotate, None)
        self._timeout_s = settings.read_timeout_s
        self._device: cv2.VideoCapture | None = None

    def open(self) -> StreamInfo:
        """Open the device. Raises SourceError (not_found)."""
        number = device_number(self._url)
        assert number is not None
        timeout_ms = int(self._timeout_s * 1000)
        device = cv2.VideoCapture(number, cv2.CAP_V4L2, [cv2.CAP_PROP_READ_TIMEOUT_MSEC, timeout_ms])
        self._device = device
        if not device.isOpened():
            raise source_error(Cause.NOT_FOUND, self._url, "no camera could be opened there")
        device.set(cv2.CAP_PROP_FPS, self._fps)
        return StreamInfo(codec="raw", decoder="software", transport="v4l2")

    def read(self) -> Arrival | None:
        """Wait for a picture. Raises SourceError (stalled) when none comes, or the device was unplugged."""
        assert self._device is not None
        if not self._device.grab():
            raise source_error(Cause.STALLED, self._url, "the webcam sends nothing, or was unplugged")
        return Arrival(0, key=True, stamp=None, broken=False)

    def decode(self, _arrival: Arrival) -> Decoded:
        """Convert the grabbed picture."""
        assert self._device is not None
        got, bgr = self._device.retrieve()
        if not got:
            return Decoded(broken=True)
        return Decoded([Shot(self._shown.apply(ArrayPicture(np.asarray(bgr, np.uint8))), None, key=True)])

    def camera_clock(self, _arrival: Arrival) -> float | None:
        """It has none."""
        return None

    def drain(self) -> Decoded:
        """Webcams hold nothing back."""
        return Decoded()

    def close(self) -> None:
        """Release the device."""
        device, self._device = self._device, None
        if device is not None:
            device.release()
