import pytest

from orchestrator.source_words import sources_said
from orchestrator.status.campaign_status import SourcesStatus


def taken(weights, *, together=0.0, nothing=0.4, standing="trusted", refused=None):
    return SourcesStatus(standing=standing, weights=weights, all=together, nothing=nothing, refused=refused or {})


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (taken({"May": 0.6}), "May 60%, none 40%"),
        (taken({"May": 0.2, "June": 0.3}, together=0.1), "June 30%, May 20%, all together 10%, none 40%"),
        (taken({"May": 0.0, "June": 0.6}), "June 60%, May 0%, all together 0%, none 40%"),
        (taken({f"s{i}": 0.05 for i in range(12)}), "s0 5%, s1 5%, s2 5%, s3 5%, s4 5%, 7 others 35%, all together 0%"),
        (taken({"May": 0.3}, nothing=0.7, standing="doubted"), "none 70%; doubted, so that the space is filled first"),
        (taken({"May": 0.0}, nothing=1.0, standing="left alone"), "none 100%; left alone: the results here tell more"),
        (taken({}, standing="left alone", refused={"May": "it has 1 value"}), "none is used; May is not used: it has"),
    ],
    ids=["one", "two", "one that counts for nothing", "many", "doubted", "left alone", "refused"],
)
def test_sources_are_said_in_words(status, said):
    assert said in sources_said(status)
