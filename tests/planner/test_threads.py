import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from planner import Continuous, Objective, Observation, Planner, SearchSpace
from planner.policies.space_filling import Random
from planner.threads import one_thread


def threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_linear_algebra_has_one_thread_and_gets_the_others_back() -> None:
    with one_thread():
        pass
    with threadpool_limits(limits=2, user_api="blas"):
        before = threads()
        with one_thread():
            assert threads() == {1}
        assert threads() == before


@pytest.mark.parametrize("use", ["ask", "predict"])
def test_a_planner_computes_on_one_thread_whatever_its_process_does(monkeypatch, use: str) -> None:
    planner = Planner(SearchSpace([Continuous("x", 0.0, 1.0)]), [Objective("y", "maximize")], policy="random")
    planner.tell([Observation(parameters={"x": 0.5}, values={"y": 1.0})])
    seen = []
    propose = Random.propose
    monkeypatch.setattr(Random, "propose", lambda *given: (seen.append(threads()), propose(*given))[1])
    monkeypatch.setattr(Random, "predict", lambda *_: (seen.append(threads()), (np.zeros(1), np.ones(1)))[1])
    with threadpool_limits(limits=2, user_api="blas"):
        planner.ask() if use == "ask" else planner.predict([{"x": 0.5}])
    assert seen == [{1}]
