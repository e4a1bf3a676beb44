import numpy as np
import pytest

from planner import BadObservation, Continuous, Integer, Objective, Observation, Proposal, SearchSpace, UnknownProposal
from planner.ledger import Ledger


@pytest.fixture
def ledger() -> Ledger:
    space = SearchSpace([Continuous("x", 0.0, 1.0, step=0.1), Integer("k", 0, 3)])
    return Ledger(space, (Objective("y", "maximize"), Objective("cost", "minimize")))


def proposal(name: str, x: float = 0.5, k: int = 1) -> Proposal:
    return Proposal(id=name, parameters={"x": x, "k": k})


def observation(x: float = 0.5, k: int = 1, **kwargs) -> Observation:
    return Observation(parameters={"x": x, "k": k}, **({"values": {"y": 1.0}} | kwargs))


def test_an_observation_finishes_its_proposal(ledger: Ledger) -> None:
    ledger.add([proposal("0-0"), proposal("0-1", x=0.7)])
    ledger.tell([observation(x=0.7, proposal_id="0-1")])
    assert list(ledger.pending) == ["0-0"]
    assert list(ledger.finished) == ["0-1"]


def test_an_observation_without_an_id_belongs_to_the_pending_proposal_at_its_point(ledger: Ledger) -> None:
    ledger.add([proposal("0-0", x=0.3)])
    ledger.tell([observation(x=0.1 + 0.2)])
    assert list(ledger.finished) == ["0-0"]
    ledger.tell([observation(x=0.9)])
    assert ledger.outside == []


def test_points_that_were_proposed_told_or_measured_are_taken(ledger: Ledger) -> None:
    def keys(*points: tuple[float, int]) -> set[bytes]:
        return set(ledger.space.keys(ledger.space.rows([{"x": x, "k": k} for x, k in points])))

    ledger.add([proposal("0-0", x=0.1), proposal("0-1", x=0.2), proposal("0-2", x=0.3)])
    ledger.tell([observation(x=0.15, proposal_id="0-0"), observation(x=0.9)])
    ledger.discard("0-2")
    assert ledger.taken() == keys((0.1, 1), (0.2, 1), (0.15, 1), (0.9, 1))
    assert ledger.outside == ["parameter 'x': 0.15 is no level of its grid; next is 0.1"]


def test_a_late_result_of_a_discarded_proposal_still_teaches(ledger: Ledger) -> None:
    ledger.add([proposal("0-0")])
    ledger.discard("0-0")
    ledger.tell([observation(proposal_id="0-0")])
    assert (list(ledger.finished), len(ledger.observations)) == (["0-0"], 1)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (observation(values={"yeild": 1.0}), "no objective is called 'yeild'; known: y, cost"),
        (observation(values={"cots": 1.0}), "did you mean 'cost'"),
        (observation(values={"y": float("nan")}), "'y' is nan; tell failure="),
        (observation(values={"y": float("inf")}), "'y' is inf"),
        (observation(values={"y": "much"}), "'y' is 'much'"),
        (observation(values={"y": True}), "'y' is True"),
        (observation(noise={"y": -1.0}), "cannot be negative"),
        (observation(noise={"y": float("nan")}), "'y' is nan"),
        (observation(x=float("nan")), "no finite number"),
        (Observation(parameters={"x": 0.1}, values={"y": 1.0}), "parameter 'k' is missing"),
        (Observation(parameters={"x": 0.1, "k": 1, "z": 2}, values={"y": 1.0}), "no parameter is called 'z'"),
    ],
)
def test_refuses_what_cannot_teach(ledger: Ledger, told: Observation, message: str) -> None:
    with pytest.raises(BadObservation, match=f"observation 1: .*{message}"):
        ledger.tell([observation(), told])
    assert ledger.observations == (), "all or none"
    assert ledger.taken() == frozenset()


def test_refuses_unknown_proposals(ledger: Ledger) -> None:
    ledger.add([proposal("0-0")])
    with pytest.raises(UnknownProposal, match="'7-0' was never given out"):
        ledger.tell([observation(proposal_id="7-0")])
    with pytest.raises(UnknownProposal, match="was never given out"):
        ledger.discard("7-0")
    with pytest.raises(UnknownProposal, match="taken before"):
        ledger.add([proposal("0-0", x=0.9)])
    with pytest.raises(UnknownProposal, match="taken before"):
        ledger.add([proposal("1-0"), proposal("1-0", x=0.9)])
    ledger.tell([observation(proposal_id="0-0")])
    with pytest.raises(UnknownProposal, match="has been told"):
        ledger.discard("0-0")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"noise": 0.1}, r"noise is 0\.1; give a mapping by name"),
        ({"values": 3.0}, r"values is 3\.0; give a mapping by name"),
        ({"failure": "cracked"}, "values or a failure, not both"),
        ({"values": {}}, "needs values, or failure= with the reason"),
    ],
    ids=["noise", "values", "both", "neither"],
)
def test_an_observation_that_makes_no_sense_is_refused_where_it_is_made(given: dict, message: str) -> None:
    with pytest.raises(BadObservation, match=message):
        observation(**given)


@pytest.mark.parametrize("value", [1.1e280, -1e300])
def test_a_value_beyond_arithmetic_is_refused(ledger: Ledger, value: float) -> None:
    with pytest.raises(BadObservation, match="tell it in a larger unit"):
        ledger.tell([observation(values={"y": value})])


def test_a_proposal_is_told_in_one_call(ledger: Ledger) -> None:
    ledger.add([proposal("0-0")])
    ledger.tell([observation(x=0.1, proposal_id="0-0"), observation(x=0.2, proposal_id="0-0")])
    with pytest.raises(BadObservation, match=r"'0-0' was told before; .* a replicate without proposal_id"):
        ledger.tell([observation(proposal_id="0-0")])
    ledger.tell([observation()])
    assert len(ledger.observations) == 3


@pytest.fixture
def mapping() -> Ledger:
    space = SearchSpace([Continuous("x", 0.0, 1.0, step=0.1), Integer("k", 0, 3)])
    return Ledger(space, (Objective("y", "maximize"), Objective("xrd", "classify")))


def test_a_fingerprint_is_kept_as_plain_numbers(mapping: Ledger) -> None:
    mapping.tell([observation(values={}, fingerprints={"xrd": np.arange(20)})])
    assert mapping.observations[0].fingerprints == {"xrd": tuple(float(i) for i in range(20))}


@pytest.mark.parametrize(
    ("told", "match"),
    [
        ({"values": {"xrd": 1.0}}, r"'xrd' is to be classified; tell it as fingerprints=\{'xrd': \.\.\.\}"),
        ({"values": {"y": 1.0}, "noise": {"xrd": 1.0}}, "'xrd' is to be classified"),
        ({"fingerprints": {"y": range(20)}}, "no objective 'y' is to be classified"),
        ({"fingerprints": {"xrb": range(20)}}, "did you mean 'xrd'"),
        ({"fingerprints": {"xrd": [1.0] * 5}}, "has 5 channels; 16 are the fewest"),
        (
            {"fingerprints": {"xrd": [1.0] * 7 + [float("nan")] * 13}},
            "channel 7 of the fingerprint of 'xrd' is nan; int",
        ),
        ({"fingerprints": {"xrd": [1.0] * 19 + [1e300]}}, "channel 19 of the fingerprint"),
    ],
    ids=["as a value", "with a noise", "of a number", "misspelt", "short", "not finite", "huge"],
)
def test_fingerprints_that_teach_nothing_are_refused(mapping: Ledger, told: dict, match: str) -> None:
    with pytest.raises(BadObservation, match=match):
        mapping.tell([observation(**told)])
    assert mapping.observations == ()


def test_fingerprints_have_one_length(mapping: Ledger) -> None:
    mapping.tell([observation(x=0.1, fingerprints={"xrd": range(20)})])
    with pytest.raises(
        BadObservation, match="observation 1: the fingerprint of 'xrd' has 21 channels, those before it"
    ):
        mapping.tell(
            [observation(x=0.2, fingerprints={"xrd": range(20)}), observation(fingerprints={"xrd": range(21)})]
        )
    assert len(mapping.observations) == 1


@pytest.mark.parametrize(
    "given", ["abc", 3.0, [1.0, "b"], [[1.0], [2.0, 3.0]]], ids=["text", "number", "word", "table"]
)
def test_a_fingerprint_that_is_no_list_of_numbers_is_refused(given: object) -> None:
    with pytest.raises(BadObservation, match="give its channels as a sequence of numbers"):
        observation(fingerprints={"xrd": given})


def test_a_failure_has_no_fingerprint() -> None:
    with pytest.raises(BadObservation, match="not both"):
        observation(values={}, failure="no beam", fingerprints={"xrd": range(20)})
