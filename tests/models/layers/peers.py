"""Our recurrences, and the layers of Keras that they take the place of."""

import keras

from models.layers import GRU, LSTM, VanillaRNN

PEERS = {LSTM: keras.layers.LSTM, GRU: keras.layers.GRU, VanillaRNN: keras.layers.SimpleRNN}
