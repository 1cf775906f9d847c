"""`surveil privacy`: the data-protection sheet of a configuration."""

from __future__ import annotations

import sys

from surveil.app.privacy_sheet import as_markdown, privacy_sheet
from surveil.cli.common import DEFAULT_CONFIG, AsJson, ConfigPath, print_json, read_config


def privacy(config: ConfigPath = DEFAULT_CONFIG, *, json: AsJson = False) -> None:
    """Print a data-protection sheet of the configuration, for you to complete.

    The sheet lists what each camera detects, hides and stores, for how long, who receives what, and which points
    need a decision. It has no passwords and no addresses of cameras.

    Example: `surveil privacy -c /etc/surveil/config.yaml > data-protection.md`
    """
    sheet = privacy_sheet(read_config(config))
    if json:
        print_json(sheet)
        return
    sys.stdout.write(as_markdown(sheet))
