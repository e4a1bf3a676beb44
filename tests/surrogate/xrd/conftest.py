import pytest
import torch

from surrogate.xrd.atlas import Atlas, make_atlas
from surrogate.xrd.identify import Identifier
from surrogate.xrd.library import Library, embedded_library
from surrogate.xrd.search import Searcher
from tests.surrogate.xrd.mixtures import CALIBRATION, LONE, NAMES

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def small_library() -> Library:
    return embedded_library(NAMES)


@pytest.fixture(scope="session")
def atlas(small_library: Library) -> Atlas:
    return make_atlas(small_library.phases, highest_deg=80.0)


@pytest.fixture(scope="session")
def lone_atlas(small_library: Library) -> Atlas:
    """The small library under the single line of the simulator's clean level."""
    return make_atlas(small_library.phases, radiation=LONE, highest_deg=80.0)


@pytest.fixture(scope="session")
def searcher(atlas: Atlas) -> Searcher:
    return Searcher(atlas)


@pytest.fixture(scope="session")
def identifier(small_library: Library) -> Identifier:
    return Identifier(small_library, calibration=CALIBRATION)
