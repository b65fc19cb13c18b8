"""Follows one story: asks, disturbs, repeats, and compares every answer with the undisturbed run."""

import time

import numpy as np

from tests.serving.sequences.checker import outcomes
from tests.serving.sequences.checker.messages import message
from tests.serving.sequences.checker.outcomes import AGAIN, outcome
from tests.serving.sequences.checker.servers import stub
from tests.serving.sequences.checker.story import Mischief, factor_of

SECONDS = 1.5  # that a call may take
PATIENCE_SECONDS = 600.0  # until a call that is repeated must have been answered
START, END = 1, 2


class ViolationError(AssertionError):
    """A guarantee does not hold."""


class LostError(Exception):
    """The store has lost the sequence, as it may."""


class GoneError(Exception):
    """The sequence cannot go on, as its version is not there any more."""


class Client:
    """One connection to each server; calls of one thread."""

    def __init__(self, servers):
        self.servers = servers
        self.channels = [server.channel() for server in servers]
        self.stubs = [stub(channel) for channel in self.channels]

    def reopen(self, at):
        """Cuts the connection, with what is under way on it."""
        self.channels[at].close()
        self.channels[at] = self.servers[at].channel()
        self.stubs[at] = stub(self.channels[at])

    def close(self):
        for channel in self.channels:
            channel.close()


class Follower:
    """One story on its way."""

    def __init__(self, story, client, counts, loses, removed):
        """counts: what has happened, by name; loses: asked whether the store may have lost sequences until now;
        removed: whether a sequence on that version may be told that it cannot go on."""
        self.story, self.client, self.counts, self.loses, self.removed = story, client, counts, loses, removed
        self.version = None  # of the last answer
        self.at = story.number % len(client.servers)
        self.lossy = loses()
        self.said = []  # for the report of a violation
        self.started_twice = False

    def follow(self):
        """Raises ViolationError."""
        story = self.story
        try:
            for step, move in enumerate(story.moves):
                last = step == len(story.moves) - 1 and not story.bare_end
                if not self.make(step, move, END if last and step else START if not step else 0):
                    self.counts["given up"] += 1
                    self.settle(self.asking(None, END, None), outcomes.NOT_FOUND)
                    return
            if story.bare_end or len(story.moves) == 1:
                index = len(story.moves) if story.numbered else None
                if not self.bare_end(self.asking(None, END, index)):
                    return
            self.after_end()
        except LostError:
            self.counts["lost, as the store may"] += 1
        except GoneError:
            self.counts["version gone, as it may"] += 1

    def asking(self, chunk, control, step, **more):
        return message(chunk, self.story.id, control, step, **more)

    def ask(self, message, at=None, seconds=SECONDS):
        at = self.at if at is None else at
        found = outcome(lambda: self.client.stubs[at].Predict(message, timeout=seconds))
        self.note(at, message, found)
        self.look_whether_gone(found)
        return found

    def look_whether_gone(self, found):
        if found.is_one(outcomes.VERSION_GONE) and self.version is not None and self.removed(self.version):
            raise GoneError

    def note(self, at, message, found):
        self.said.append((at, message, found))
        self.counts[f"answer: {found.code}"] += 1

    def move_on(self):
        self.at = (self.at + 1) % len(self.client.servers)

    def fail(self, what, found):
        raise ViolationError(
            f"{what}: {found}\nsequence {self.story.id!r} (story {self.story.number}), until then:\n  "
            + "\n  ".join(map(_line, self.said[-12:]))
        )

    def settle(self, message, *also):
        """Repeats the call until it is answered, or refused with one of these errors; that outcome."""
        until = time.monotonic() + PATIENCE_SECONDS
        pause = 0.005
        while True:
            found = self.ask(message)
            if found.code == "OK" or found.is_one(*also):
                return found
            if found.is_one(outcomes.NOT_FOUND) and self.loses() != self.lossy:
                raise LostError
            if not found.is_one(*AGAIN):
                self.fail("not an answer for this call", found)
            if time.monotonic() > until:
                self.fail("not answered in time", found)
            self.move_on()
            time.sleep(pause)
            pause = min(2 * pause, 0.5)

    def make(self, step, move, control):
        """One step; False when it cannot be told what became of it."""
        index = step if self.story.numbered else None
        message = self.asking(move.chunk, control, index)
        if index is None:
            found = self.ask(message)
            if found.is_one(*AGAIN):
                return False
            if found.is_one(outcomes.NOT_FOUND) and self.loses() != self.lossy:
                raise LostError
        else:
            self.before(step, move, message)
            found = self.settle(message)
        self.compare(step, found)
        self.counts["steps"] += 1
        if index is not None:
            self.behind(step, move, message, control)
        return True

    def compare(self, step, found):
        """An answer with that of the undisturbed run."""
        if found.code != "OK":
            self.fail("not an answer", found)
        y, number = self.story.expected(step, factor_of(found.version))
        if not (np.array_equal(found.y, y) and np.array_equal(found.number, number)):
            self.fail(f"step {step} must be answered {y.tolist()} {number.tolist()}", found)
        self.version = found.version
        if (found.id, found.step) != (self.story.id, step if self.story.numbered else None):
            self.fail(f"the answer is of sequence {found.id!r}, step {found.step}", found)

    def before(self, step, move, message):
        """What happens ahead of the call that counts."""
        kind = move.mischief
        self.counts[f"step: {kind.value}"] += 1
        other = (self.at + 1) % len(self.client.servers)
        if kind is Mischief.MOVED:
            self.move_on()
        elif kind is Mischief.TWICE:
            self.disturbed(step, self.client.stubs[other].Predict.future(message, timeout=SECONDS), None)
        elif kind in (Mischief.CUT, Mischief.CLOSED):
            self.disturbed(step, self.client.stubs[self.at].Predict.future(message, timeout=SECONDS), move)
        elif kind is Mischief.EXPIRED:
            self.may_be(step, self.ask(message, seconds=max(move.delay, 0.0005)))
        elif kind is Mischief.AHEAD and step:
            found = self.ask(self.asking(move.chunk, 0, step + 1))
            self.must_be(found, outcomes.OUT_OF_ORDER)
        elif kind is Mischief.BAD_VERSION and step:
            found = self.ask(self.asking(move.chunk, 0, step, version=10**6))
            self.must_be(found, outcomes.OTHER_VERSION, outcomes.NO_VERSION)
        elif kind is Mischief.BAD_INPUT:
            found = self.ask(self.asking(move.chunk.astype(np.float64), START if not step else 0, step))
            self.must_be(found, outcomes.BAD_INPUT)

    def disturbed(self, step, future, move):
        """A call beside the one that counts: cut after the move's delay, or left alone while the other is asked."""
        if move is None:
            self.beside = future
            return
        time.sleep(move.delay)
        if move.mischief is Mischief.CLOSED:
            self.client.reopen(self.at)
        else:
            future.cancel()
        found = outcome(future.result)
        self.said.append(("cut", None, found))
        self.may_be(step, found)

    beside = None

    def may_be(self, step, found):
        """Of a call that was disturbed: the right answer, or an error that asks for a repeat."""
        self.look_whether_gone(found)
        if found.code == "OK":
            self.compare(step, found)
        elif not found.is_one(*AGAIN) and not (found.is_one(outcomes.NOT_FOUND) and self.loses() != self.lossy):
            self.fail("a call that was cut is answered", found)

    def must_be(self, found, *errors):
        """Of a call that must be refused; losing the connection is no answer."""
        if not found.is_one(*errors, *AGAIN) and not (found.is_one(outcomes.NOT_FOUND) and self.loses() != self.lossy):
            self.fail(f"must be refused with one of {errors}", found)

    def behind(self, step, move, message, control):
        """What happens after the call that counts."""
        if self.beside is not None:
            found, self.beside = outcome(self.beside.result), None
            self.said.append(("beside", None, found))
            self.may_be(step, found)
        if move.mischief is Mischief.REPEATED:
            self.compare(step, self.settle(message))
        elif move.mischief is Mischief.REPEATED_LATE and step and control != END:
            earlier = self.asking(self.story.moves[step - 1].chunk, START if step == 1 else 0, step - 1)
            self.must_be(self.ask(earlier), outcomes.EXISTS if step == 1 else outcomes.OUT_OF_ORDER)

    def bare_end(self, message):
        also = () if self.story.numbered else (outcomes.NOT_FOUND,)  # of a repeat
        found = self.settle(message, *also)
        if found.code == "OK" and (found.y is not None or found.id != self.story.id):
            self.fail("an end without a chunk must be answered the id alone", found)
        return True

    def after_end(self):
        """Nothing is left of it."""
        if self.story.number % 4:
            return
        found = self.settle(self.asking(self.story.moves[0].chunk, 0, None), outcomes.NOT_FOUND)
        if found.code == "OK":
            self.fail("the sequence has ended", found)


def _line(said):
    at, asked, found = said
    step = np.frombuffer(asked.inputs["sequence_step"].tensor_content, np.int64).tolist() if asked is not None else ""
    return f"{at} {step}: {found}"
