import asyncio

import compute_robustness
import pytest


@pytest.mark.parametrize("kind", compute_robustness.KINDS)
def test_an_accident_changes_no_result(kind):
    (found,) = asyncio.run(compute_robustness.run(1, (kind,)))
    assert found.is_right and found.is_side_right
    assert f"| {kind} | 1 | 1 | 1 |" in compute_robustness.table([found])
