"""`surveil dataset show|label`: what is in a data set, and corrections."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import cv2
import typer

from surveil.cli.common import AsJson, console, print_json
from surveil.errors import ConfigError
from surveil.offline.classify.collect import describe, relabel, sheet
from surveil.offline.classify.dataset import load

DataSet = Annotated[Path, typer.Argument(help="Folder of the data set.")]


def show(
    folder: DataSet,
    png: Annotated[
        Path | None, typer.Option(help="Write a row of pictures of each class to this file.")
    ] = None,
    *,
    json: AsJson = False,
) -> None:
    """Show the classes, cameras, days and origins of a data set, and what was left out.

    Example: `surveil dataset show shelf --png shelf.png`
    """
    data = load(folder)
    if png is not None and not cv2.imwrite(str(png), sheet(data)):
        raise ConfigError([f"{png}: cannot be written as a picture"])
    if json:
        counted = {what: dict(Counter(getattr(i, what) for i in data.items)) for what in ("camera", "origin")}
        print_json({"dataset": str(folder), "sha256": data.sha256, "pictures": len(data.items),
                    "classes": data.counts, **counted, "left_out": data.problems})  # fmt: skip
        return
    console.print("\n".join(describe(data)), soft_wrap=True)


def label_pictures(
    folder: DataSet,
    label: Annotated[str, typer.Argument(help="Correct class.")],
    pictures: Annotated[list[str], typer.Argument(help="Paths within the data set, as shown in the report.")],
) -> None:
    """Correct the class of pictures. The files stay where they are.

    Example: `surveil dataset label shelf empty pictures/3f2a.jpg pictures/9c01.jpg`
    """
    data = load(folder)
    for path in pictures:
        relabel(data, path, label)
    console.print(f"{len(pictures)} pictures are of class {label} now")
