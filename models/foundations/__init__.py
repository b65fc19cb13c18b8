"""Before the recurrence: activations, the multi-layer perceptron, backpropagation by hand (slides S1 to S3)."""

from models.foundations import perceptron, two_two_one
from models.foundations.activations import ACTIVATIONS, Activation

__all__ = ["ACTIVATIONS", "Activation", "perceptron", "two_two_one"]
