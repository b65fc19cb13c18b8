import numpy as np
import pytest

from models.layers.engines import ENGINES
from tests.models.layers.peers import PEERS


@pytest.fixture(params=PEERS, ids=lambda layer: layer.__qualname__)
def Layer(request):
    """One of our recurrences."""
    return request.param


@pytest.fixture
def Peer(Layer):
    """The layer of Keras that it takes the place of."""
    return PEERS[Layer]


@pytest.fixture(params=ENGINES)
def engine(request):
    return request.param


@pytest.fixture
def rng():
    return np.random.default_rng(20)


@pytest.fixture
def distinct():
    """Fills a built layer with distinct random weights, and other layers with the same."""

    def fill(layer, *others, seed=7):
        rng = np.random.default_rng(seed)
        weights = [rng.normal(scale=0.6, size=w.shape) for w in layer.get_weights()]
        for each in (layer, *others):
            each.set_weights(weights)

    return fill
