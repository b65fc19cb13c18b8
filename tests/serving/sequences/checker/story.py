"""What a client does with one sequence, decided by the seed, and what it must be answered."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

LONGEST, LARGEST_CHUNK = 40, 5
FEATURES = 2


class Mischief(Enum):
    """What befalls a step beside being asked."""

    NONE = "nothing"
    TWICE = "sent to two servers at once"
    CUT = "the client gives the call up in the midst of it, and asks again"
    CLOSED = "its connection is cut in the midst of it, and it is asked again"
    EXPIRED = "its deadline is too short, and it is asked again"
    REPEATED = "asked again after its answer"
    REPEATED_LATE = "asked again after the answer of the step behind it"
    AHEAD = "the step behind it is asked first"
    BAD_VERSION = "asked of a version that there is not, first"
    BAD_INPUT = "asked with an input of another dtype, first"
    MOVED = "asked at another server than the step before"


MISCHIEFS = list(Mischief)[1:]
CHANCE = 0.4  # of some mischief, at a step


@dataclass(frozen=True)
class Move:
    """One step of the sequence."""

    chunk: np.ndarray  # [1, time, FEATURES], whole numbers
    mischief: Mischief
    delay: float  # seconds until the mischief


@dataclass(frozen=True)
class Story:
    """One sequence from start to end."""

    number: int
    id: int | str
    numbered: bool  # whether its steps say their index; else what is not answered cannot be asked again
    moves: list[Move]
    bare_end: bool  # its end has no chunk
    sums: np.ndarray  # [1, all time, FEATURES]: of the chunks so far, computed in memory, undisturbed

    def expected(self, step, factor):
        """`y` and `number` that the step must be answered; factor: of the version that answers."""
        begin = sum(move.chunk.shape[1] for move in self.moves[:step])
        end = begin + self.moves[step].chunk.shape[1]
        return factor * self.sums[:, begin:end], np.arange(begin + 1, end + 1)[None]


def story(seed, number):
    """The story of this number under this seed."""
    rng = np.random.default_rng([seed, number])
    numbered = rng.random() < 0.85
    moves = []
    for _ in range(rng.integers(1, LONGEST + 1)):
        chunk = rng.integers(-9, 10, (1, rng.integers(1, LARGEST_CHUNK + 1), FEATURES)).astype(np.float32)
        mischief = MISCHIEFS[rng.integers(len(MISCHIEFS))] if numbered and rng.random() < CHANCE else Mischief.NONE
        moves.append(Move(chunk, mischief, float(rng.exponential(0.003))))
    unique = seed * 10**9 + number + 1
    sums = np.concatenate([move.chunk for move in moves], axis=1).cumsum(axis=1)
    return Story(number, unique if rng.random() < 0.5 else f"s-{unique}", numbered, moves, rng.random() < 0.5, sums)


def factor_of(version):
    """The factor of the model's version: a version that answers in another's name is seen."""
    return 1 + version % 3
