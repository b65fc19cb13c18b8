"""The zoo's table, and what holds for every entry."""

import dataclasses

import keras
import pytest

from models.zoo import ZOO, UnknownModelError, entry
from training.export.card import card


@pytest.mark.parametrize("name", ZOO)
def test_every_entry_builds_by_its_own_name_and_can_be_served(name):
    found = entry(name)
    assert found.name == name
    model = found.network().build()
    assert isinstance(model, keras.Model)
    assert "serving_default" in found.signatures(model)


@pytest.mark.parametrize("name", ZOO)
def test_every_network_is_a_frozen_value(name):
    network = entry(name).network()
    assert dataclasses.is_dataclass(network)
    assert type(network).__dataclass_params__.frozen


@pytest.mark.parametrize("name", ZOO)
def test_every_entry_has_a_card_that_says_what_it_takes_and_gives(name):
    text = card(name)
    assert text.startswith(f"# {name}\n")
    for part in ("**Task.**", "**Network.**", "**Signatures.**", "**Limits.**"):
        assert part in text


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownModelError, match="no model 'wether' in the zoo; nearest: weather; `seqzoo list` shows"):
        entry("wether")


def test_a_name_like_none_is_answered_with_all():
    with pytest.raises(UnknownModelError, match=f"no model 'qqq' in the zoo; nearest: {', '.join(sorted(ZOO))};"):
        entry("qqq")
