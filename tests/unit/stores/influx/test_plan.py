"""The plan of a tenant's bucket: whatever there is, its steps lead to what should be, and nothing is left to do."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from belvedere.stores.influx.model import Desired, Observed, Purpose, SeenBucket, SeenToken
from belvedere.stores.influx.plan import Deed, Do, is_foreign, plan, removal

DESIRED = Desired("acme", "acme", "belvedere 1 tenant 7")
BUCKETS = st.one_of(
    st.none(), st.builds(SeenBucket, st.sampled_from(["b1", "b2"]), st.just("acme"),
                         st.sampled_from(["", DESIRED.mark, "somebody's", "belvedere 2 tenant 7"]), st.booleans()))
REACHES = st.frozensets(st.tuples(st.sampled_from(["read", "write"]), st.sampled_from(["b1", "b2", "all buckets"])))
TOKENS = st.dictionaries(
    st.sampled_from([Purpose.READ, Purpose.WRITE]),
    st.builds(SeenToken, st.sampled_from(["t1", "t2"]), st.booleans(), REACHES))
OBSERVED = st.builds(Observed, BUCKETS, TOKENS, st.booleans())


def applied(observed: Observed, deed: Deed) -> Observed:
    bucket = observed.bucket
    if deed.do is Do.BUCKET:
        return replace(observed, bucket=SeenBucket("b9", DESIRED.bucket, DESIRED.mark))
    if deed.do is Do.MARK and bucket is not None:
        return replace(observed, bucket=replace(bucket, mark=DESIRED.mark))
    if deed.do is Do.TOKEN and bucket is not None and deed.purpose is not None:
        reaches = frozenset((action, bucket.number) for action in deed.purpose.actions)
        made = SeenToken("t9", active=True, reaches=reaches)
        return replace(observed, tokens={**observed.tokens, deed.purpose: made})
    if deed.do is Do.MAP:
        return replace(observed, mapped=True)
    if deed.do is Do.DROP_TOKEN:
        return replace(observed, tokens={key: one for key, one in observed.tokens.items() if key != deed.purpose})
    assert deed.do is Do.DROP_BUCKET
    return replace(observed, bucket=None)


@settings(max_examples=60)
@given(OBSERVED)
def test_planning_after_applying_finds_nothing(observed):
    for step in plan(DESIRED, observed).steps:
        observed = applied(observed, step.deed)
    assert not plan(DESIRED, observed).steps


@settings(max_examples=60)
@given(OBSERVED, st.booleans())
def test_removing_leaves_no_token_and_no_bucket_but_others_and_kept_ones(observed, keep_data):
    before = observed.bucket
    for step in removal(DESIRED, observed, keep_data=keep_data).steps:
        observed = applied(observed, step.deed)
    assert not observed.tokens
    ours = before is not None and before.mark == DESIRED.mark
    assert (observed.bucket is None) == (before is None or (ours and not keep_data))
    assert not removal(DESIRED, observed, keep_data=keep_data).steps


@given(OBSERVED)
def test_only_a_bucket_that_another_marked_is_foreign(observed):
    foreign = observed.bucket is not None and observed.bucket.mark == "belvedere 2 tenant 7"
    assert is_foreign(DESIRED, observed) == foreign
