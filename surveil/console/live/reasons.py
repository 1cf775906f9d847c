"""Reasons why a camera is shown as still pictures: a closed set, for which the front end has texts."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class WhyPictures(StrEnum):
    """Why there is no video."""

    UNKNOWN = "unknown"
    """The camera has sent no key frame yet."""
    ASKED = "asked"
    """Pictures were asked for."""
    HIDDEN = "hidden"
    """Parts of the picture are hidden, and packets cannot be masked without encoding them again."""
    RAW = "raw"
    """A webcam: it sends no encoded stream."""
    MJPEG = "mjpeg"
    """The camera sends single pictures."""
    H265 = "h265"
    """The camera sends H.265, and the browser cannot play it."""
    CODEC = "codec"
    """The camera sends something else that browsers do not play."""
    PROFILE = "profile"
    """The camera sends H.264 with more than 8 bits or other colours than browsers play."""
    OPEN_GOP = "open_gop"
    """No key frame stands alone (open GOP or intra refresh): set a closed GOP in the camera."""

    @staticmethod
    def of_codec(codec: str) -> WhyPictures:
        """Return why a stream of this codec is not played; one of H.264 may be."""
        named = {"hevc": WhyPictures.H265, "mjpeg": WhyPictures.MJPEG, "": WhyPictures.UNKNOWN}
        return named.get(codec, WhyPictures.CODEC)


WORDS: Mapping[WhyPictures, str] = {
    WhyPictures.UNKNOWN: "it has sent no key frame yet",
    WhyPictures.ASKED: "pictures were asked for",
    WhyPictures.HIDDEN: "parts of its picture are hidden",
    WhyPictures.RAW: "a webcam sends single pictures",
    WhyPictures.MJPEG: "it sends single pictures (MJPEG)",
    WhyPictures.H265: "it sends H.265",
    WhyPictures.CODEC: "it sends a codec that browsers do not play",
    WhyPictures.PROFILE: "it sends H.264 of a profile that browsers do not play",
    WhyPictures.OPEN_GOP: "no key frame stands alone (open GOP or intra refresh); set a closed GOP in the camera",
}
