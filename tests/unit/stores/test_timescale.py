"""TimescaleDB: when it is used, what tenants reach of it, how values are kept, and that nothing needs it.

The decision is tested without it; the rest on the server that BELVEDERE_TEST_TIMESCALE_URL names.
"""


import pytest

import timescale_world
from belvedere.stores.timescale.plan import Offer, refusal

START = 1_760_000_000
LOST_CLOCK = 1_577_836_800
"""The first second of 2020, where the clock of a meter begins that lost its own."""

DAY = 86_400

real = pytest.mark.skipif(not timescale_world.URL, reason="BELVEDERE_TEST_TIMESCALE_URL names no server")


@pytest.mark.parametrize(("offer", "wanted", "word"), [
    (Offer("2.29.2", preloaded=True), "auto", ""),
    (Offer("2.30.0-dev", preloaded=True), "auto", ""),
    (Offer("3.0", preloaded=True), "auto", ""),
    (Offer("2.29.2", preloaded=True), "off", "switched off"),
    (Offer(None, preloaded=False), "auto", "not installed"),
    (Offer("2.29.2", preloaded=False), "auto", "shared_preload_libraries"),
    (Offer("2.27.2", preloaded=True), "auto", "older"),
    (Offer("unknown", preloaded=True), "auto", "older"),
])
def test_when_tables_stay_plain(offer: Offer, wanted: str, word: str) -> None:
    said = refusal(offer, wanted)
    assert word in said
    assert bool(said) is bool(word)
