from pathlib import Path

import pytest

from tests.tiny_bundle import NAME
from undertone_service.bundle.streaming import StreamingBundle


@pytest.fixture(scope="session")
def bundle(bundle_folder: Path) -> StreamingBundle:
    """The tiny bundle, opened."""
    return StreamingBundle(bundle_folder / NAME)
