"""How high people must be in a stream so that the model can find them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from surveil.vision.crops import MIN_AT_INPUT_PX, CropLimits, tiles


@dataclass(frozen=True, slots=True)
class Sight:
    """Heights from which people are seen in pictures of one size."""

    close_px: int
    """Where something moves, and in tiles of the picture."""
    close_share: float
    """The same as a share of the picture's height."""
    whole_px: int
    """In one look at the whole picture."""
    tiles: int
    """That the picture is looked at in, one after the other, while nothing moves."""

    @classmethod
    def of(cls, width: int, height: int, input_px: int, min_object_px: float) -> Sight:
        """Return what a model with an input of `input_px` a side sees in pictures of `width` x `height` px."""
        limits, size = CropLimits.of(input_px, min_object_px), (width, height)
        whole = MIN_AT_INPUT_PX * max(size) / input_px
        close = min(min_object_px, whole)
        return cls(
            close_px=round(close),
            close_share=round(close / height, 3),
            whole_px=round(whole),
            tiles=len(tiles((0, 0, *size), limits.limit, size, limits.smallest)),
        )

    def __str__(self) -> str:
        """Return it for people."""
        whole = f", from {self.whole_px} px in a look at the whole picture" if self.tiles > 1 else ""
        count = f"{self.tiles} tiles" if self.tiles > 1 else "one look"
        return (
            f"people are seen from {self.close_px} px ({self.close_share:.1%} of the picture's height){whole}; "
            f"{count} cover it"
        )
