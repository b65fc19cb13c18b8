"""A pytest plugin: puts our layers where Keras's own tests look for Keras's."""

from keras.src import layers

from models.layers import GRU, LSTM, GRUCell, LSTMCell, VanillaRNN, VanillaRNNCell

layers.LSTM, layers.GRU, layers.SimpleRNN = LSTM, GRU, VanillaRNN
layers.LSTMCell, layers.GRUCell, layers.SimpleRNNCell = LSTMCell, GRUCell, VanillaRNNCell
