"""One frame as the analysers of the prepare stage see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from surveil.reasons import Why
from surveil.types import Bytes, Event, Finding, Frame, Motion, Picture, PictureTrouble, Polygon, Track


class FrameView:
    """One frame: small luma planes are made once per size. Owned by the holder of the camera's slot."""

    def __init__(
        self,
        frame: Frame,
        tracks: Sequence[Track],
        motion: Motion | None = None,
        events: Sequence[Event] = (),
    ) -> None:
        self.frame = frame
        self.tracks = tracks
        """As of the frame before."""
        self.motion = motion
        """What the gate says."""
        self.events = events
        """Of the camera, open as of the frame before."""
        self.found: list[Finding] = []
        """By the analysers that looked before."""
        self.asleep = False
        """The camera sleeps: nothing moved since the frame before, and nobody decoded the pictures between them."""
        self._lumas: dict[tuple[int, int], Bytes] = {}

    def hiding(self, areas: Sequence[Polygon]) -> FrameView:
        """Return the view without some areas (fractions of the frame), for an analyser that stores what it sees."""
        if not areas:
            return self
        other = FrameView(hiding(self.frame, areas), self.tracks, self.motion, self.events)
        other.found, other.asleep = self.found, self.asleep
        return other

    @property
    def picture(self) -> Picture:
        """The picture of the frame."""
        return self.frame.picture

    @property
    def trouble(self) -> PictureTrouble | None:
        """What the analysers that looked before found wrong with the picture itself."""
        return next((one.trouble for one in self.found if one.trouble), None)

    @property
    def misfit(self) -> Why:
        """Why zones, lines and learned models do not fit the picture; empty: they fit."""
        return next((one.misfit for one in self.found if one.misfit), "")

    def luma(self, width: int, height: int) -> Bytes:
        """Brightness, uint8 (height, width); read-only, since others see the same array."""
        size = (width, height)
        if size not in self._lumas:
            plane = self.frame.picture.luma(width, height)
            plane.setflags(write=False)
            self._lumas[size] = plane
        return self._lumas[size]

    def luma_of_height(self, height: int) -> Bytes:
        """Brightness at `height` rows, the width keeping the picture's aspect (even, at least 2)."""
        width = max(2, round(self.picture.width * height / self.picture.height / 2) * 2)
        return self.luma(width, height)


def hiding(frame: Frame, areas: Sequence[Polygon]) -> Frame:
    """Return the frame with areas of its picture blanked."""
    if not areas:
        return frame
    from surveil.hidden import HiddenPicture  # noqa: PLC0415 - most cameras hide nothing

    return replace(frame, picture=HiddenPicture(frame.picture, areas))
