"""What each model of the zoo should reach on its test data, and what others have published on the same split.

Sources: minGRU and minLSTM, arXiv 2410.01201, and nanoGPT on Tiny Shakespeare; Slot-Gated (Goo et al. 2018) and
Stack-Propagation (Qin et al. 2019) on SNIPS without word vectors from elsewhere; SegRNN (arXiv 2308.11200) and DLinear
(arXiv 2205.13504) on ETTh1; an echo-state network and LSTNet on the Japanese vowels; a sequence-to-sequence LSTM, a
transformer and the transducer Phonetisaurus on CMUdict without stress, and transducers on three languages of SIGMORPHON
2021 (task 1, medium); UDPipe 1 (Straka & Straková 2017) on UD English EWT 2.2, words as they are divided there; the
word language models of MXNet and GluonNLP, tied and with a neural cache, and AWD-LSTM (Merity et al. 2018) on
WikiText-2, the ends of lines counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """Figures of one metric: what must be reached, what is aimed at, what is far off, and what others have."""

    must: float
    target: float
    moonshot: float | None = None
    published: str = ""

    @property
    def higher_is_better(self) -> bool:
        """Whether a greater figure is a better one."""
        return (self.moonshot or self.target) > self.must

    def reached(self, figure: float) -> str:
        """The highest of moonshot, target and must that the figure reaches, to three digits; empty where none is."""
        sign = 1 if self.higher_is_better else -1
        for name in ("moonshot", "target", "must"):
            goal = getattr(self, name)
            if goal is not None and sign * round(figure, 3) >= sign * goal:
                return name
        return ""


GOALS: Mapping[str, Mapping[str, Goal]] = {  # by model and metric, the most important metric first
    "char-lm": {
        "nats_per_char": Goal(1.58, 1.50, 1.4697, "minGRU 1.548, minLSTM 1.555; nanoGPT, a transformer, 1.4697"),
    },
    "cook": {"accuracy": Goal(1.0, 1.0)},
    "forecast": {"mse": Goal(0.383, 0.370, 0.351, "SegRNN .351; DLinear .381; a plain GRU 1.135")},
    "g2p": {"word_error_rate": Goal(0.339, 0.31, 0.28, "LSTM 2 x 512 .31; a transformer .302; Phonetisaurus .339")},
    "intent-slots": {
        "slot_f1": Goal(0.922, 0.942, 0.963, "Slot-Gated .888, Stack-Propagation .942"),
        "intent_accuracy": Goal(0.974, 0.980, 0.989, "Slot-Gated .970, Stack-Propagation .980"),
        "sentence_accuracy": Goal(0.82, 0.869, 0.903, "Slot-Gated .755, Stack-Propagation .869"),
    },
    "speaker": {"accuracy": Goal(0.976, 0.989, 0.995, "echo-state network .965, LSTNet .981")},
    "tagger": {"upos_accuracy": Goal(0.945, 0.953, 0.960, "UDPipe 1 .944")},
    "weather": {
        "temp_max_mae": Goal(2.13, 2.09, 1.95),
        "temp_min_mae": Goal(1.39, 1.36, 1.30),
        "rain_brier": Goal(0.190, 0.187, 0.180),
    },
    "word-lm": {
        "perplexity": Goal(130, 107.5, 86, "LSTM 2 x 200, tied, 107.5 after 20 epochs, 2 x 650 91.5; AWD-LSTM 65.8"),
        "cache_perplexity": Goal(105, 78, 66, "LSTM 2 x 200, tied, 77.8, 2 x 650 66.4; AWD-LSTM 52.0"),
    },
    "xor": {"accuracy": Goal(1.0, 1.0)},
}
