"""The id of a request."""

import re

import pytest

from serving.observing.request_id import accepted, made


@pytest.mark.parametrize("given", ["a", "7f3c-9b", "Root=1-67891233-abcdef012345678912345678", "a/b+c=@d:e", "x" * 128])
def test_a_sane_id_is_kept(given):
    assert accepted(given) == given


@pytest.mark.parametrize("given", [None, "", "x" * 129, "a b", "a\nb", 'a"b', "a;b", "ä", "a\0", b"a".decode() + "\r"])
def test_any_other_is_replaced_by_a_new_one(given):
    assert re.fullmatch("[0-9a-f]{16}", accepted(given))


def test_ids_that_are_made_differ():
    assert len({made() for _ in range(1000)}) == 1000
