from pathlib import Path

import pytest

from tests.tiny_bundle import NAME
from undertone_service.bundle.streaming import Bundle


@pytest.fixture(scope="session")
def bundle(bundle_folder: Path) -> Bundle:
    """The tiny bundle, opened."""
    return Bundle(bundle_folder / NAME)
