"""Our recurrences, and the layers of Keras that they take the place of."""

import keras

from models.layers import LSTM, VanillaRNN

PEERS = {LSTM: keras.layers.LSTM, VanillaRNN: keras.layers.SimpleRNN}
