import multiprocessing
from collections.abc import Callable

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


@pytest.fixture
def children() -> Callable[[], list]:
    """Say which processes this one has started since the test began; those of other tests are left alone."""
    before = set(multiprocessing.active_children())
    return lambda: [child for child in multiprocessing.active_children() if child not in before]
