"""From one sequence to another: encoder, attention, decoder, and the search for the likeliest outputs."""

from models.sequence_to_sequence.attention import Attention
from models.sequence_to_sequence.beam_search import END, Hypotheses, beam_search
from models.sequence_to_sequence.network import Encoded, SequenceToSequence

__all__ = ["END", "Attention", "Encoded", "Hypotheses", "SequenceToSequence", "beam_search"]
