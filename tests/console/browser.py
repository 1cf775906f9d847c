"""Debian's Chromium, driven by Playwright: one process for all tests of the console."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

CHROMIUM = shutil.which("chromium")
PATIENCE_MS = 60_000
"""For what must come in the end; a busy machine may take its time."""
_SLOW_IS_NO_ERROR = ("net::ERR_ABORTED",)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start it; skip where it is not installed, unless on CI, where it must be."""
    if CHROMIUM is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium is not installed: apt-get install chromium")
        pytest.skip("not installed: chromium")
    # As root, and in a container, there is no sandbox; the pages are our own.
    arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--mute-audio"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(
    browser: Browser, *, width: int = 1440, language: str = "en", refused: bool = False, **context: Any
) -> Iterator[Page]:
    """Open a page of a fresh profile; what it complains of fails the test, but for a login that is asked for."""
    harmless = (*_SLOW_IS_NO_ERROR, *("status of 401",) * refused)
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and not any(word in message.text for word in harmless):
            complaints.append(message.text)

    locale = {"en": "en-GB", "zh": "zh-CN"}[language]
    size = {"width": width, "height": 900 if width > 500 else 844}
    made = browser.new_context(viewport=size, locale=locale, **context)  # type: ignore[arg-type]
    try:
        page = made.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
    finally:
        made.close()
    if complaints:
        pytest.fail("the page complains: " + "; ".join(complaints))
