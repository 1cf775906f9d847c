"""The luma plane that normality works on: 240 rows, whatever the camera sends."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from surveil.types import Bytes

ROWS = 240
"""Rows of the plane. People must keep some 12 px in it; a wide scene loses little, a distant one much."""
MIN_COLUMNS, MAX_COLUMNS = 64, 960
CELL = 8
"""Spacing of the grid's cell centres, px of the plane."""


@dataclass(frozen=True, slots=True)
class PlaneSize:
    """Width and height of the plane in pixels, both multiples of a cell's half."""

    width: int
    height: int

    @property
    def rows(self) -> int:
        """Rows of cells."""
        return self.height // CELL

    @property
    def columns(self) -> int:
        """Columns of cells."""
        return self.width // CELL


def plane_size(width: int, height: int) -> PlaneSize:
    """Return the plane for pictures of `width` × `height` px: 240 rows, the same aspect, whole cells.

    Raises ValueError for an empty picture.
    """
    if width <= 0 or height <= 0:
        raise ValueError(f"a picture of {width} × {height} pixels has no plane")
    columns = CELL * round(ROWS * width / height / CELL)
    return PlaneSize(min(MAX_COLUMNS, max(MIN_COLUMNS, columns)), ROWS)


def equalised(plane: Bytes) -> Bytes:
    """Return the plane with local contrast stretched (CLAHE, Zuiderveld 1994): for dark, noisy scenes only.

    On Ped2 at 30 % contrast with noise of 5 steps it lifts frame AUC from .797 to .844, a plain gain to .825;
    blurring lowers it. By day it brings nothing (.979 against .981) and two false alarms.
    """
    return np.asarray(cv2.createCLAHE(2.0, (8, 8)).apply(plane), np.uint8)


def half(plane: Bytes) -> Bytes:
    """Return the plane at half resolution, area averaged: where masks are made."""
    size = (plane.shape[1] // 2, plane.shape[0] // 2)
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.uint8)
