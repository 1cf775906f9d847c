"""Packets as a capture stores them, of clips that are drawn and encoded on the spot."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import av

from surveil.capture.h264 import is_idr, length_size_of
from surveil.capture.packets import Parameters, StoredPacket
from surveil.console.live.remux import Header, Piece, Remuxer


def stored(path: Path, arrived: float = 100.0, rotate: int = 0) -> list[StoredPacket]:
    """The packets of a clip, which arrive as its stamps say."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        codec = stream.codec_context
        extradata = bytes(codec.extradata or b"")
        parameters = Parameters(
            codec=codec.name, extradata=extradata, width=codec.width, height=codec.height, rotate=rotate
        )
        size = length_size_of(extradata)
        packets = [p for p in container.demux(stream) if p.size]
        first = packets[0].dts
        return [
            StoredPacket(
                data=bytes(p),
                pts=p.pts,
                dts=p.dts,
                time_base=p.time_base,
                key=p.is_keyframe,
                arrived=arrived + float((p.dts - first) * p.time_base),
                parameters=parameters,
                entry=codec.name != "h264" or is_idr(bytes(p), size),
            )
            for p in packets
        ]


def later(packets: Iterable[StoredPacket], seconds: float) -> list[StoredPacket]:
    """The same packets, which arrive later."""
    return [replace(one, arrived=one.arrived + seconds) for one in packets]


def remuxed(packets: Iterable[StoredPacket], remuxer: Remuxer | None = None) -> list[Piece]:
    """What a remuxer makes of them."""
    remuxer = remuxer or Remuxer()
    return [piece for packet in packets for piece in remuxer.take(packet)]


def decoded(pieces: Iterable[Piece]) -> list[av.VideoFrame]:
    """The pictures that a player shows."""
    with av.open(io.BytesIO(b"".join(piece.data for piece in pieces)), format="mp4") as container:
        return list(container.decode(video=0))


def fragments(pieces: Iterable[Piece]) -> list[Piece]:
    return [piece for piece in pieces if not isinstance(piece, Header)]
