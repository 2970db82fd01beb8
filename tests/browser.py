"""The page of `ffr view` in a real browser; its tests skip where there is none."""

from contextlib import contextmanager

import pytest

from validation.browser import CHROMIUM, WHY, Browser


@contextmanager
def page_of_a_run(url, until):
    """The page of `ffr view` in a browser, ready."""
    if CHROMIUM is None:
        pytest.skip(WHY)
    with Browser() as opened:
        opened.open(url)
        opened.wait("document.querySelector('.ffr')?.dataset.ready", 120)
        opened.wait(until, 120)
        yield opened
