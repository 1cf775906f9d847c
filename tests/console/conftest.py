import pytest

from tests.console.browser import chromium
from tests.console.site import Site
from tests.rig.fixtures import clips

__all__ = ["clips"]


@pytest.fixture
def site(tmp_path):
    with Site(tmp_path) as made:
        yield made


@pytest.fixture(scope="session")
def browser():
    """One Chromium for all tests of this folder."""
    with chromium() as found:
        yield found
