"""Faults planted in a server, to see that the checker finds them."""

from itertools import count

from serving.sequences import redis_calls
from serving.sequences.file import FileStore
from serving.sequences.memory import MemoryStore
from serving.sequences.redis_store import RedisStore

EVERY = 40  # writes until one goes wrong
CHECKED = b"return holder and string.sub(holder, 1, #token + 1) == token .. ' '"


def counted_twice():
    """A step that is repeated runs again."""
    from serving.server import ModelServer  # noqa: F401 (first, so that its imports come in their order)
    from serving.sequences.sequences import Sequences  # isort: skip

    right = Sequences._go_on_in_turn

    def wrong(self, call, special, key, record):
        if record is not None and special.step == record.step and not record.ended:
            record = record._replace(step=record.step - 1)
        return right(self, call, special, key, record)

    Sequences._go_on_in_turn = wrong


def lost_write():
    """A write now and then is not made, and nobody is told."""
    numbers = count(1)

    def spoil(right):
        def wrong(self, changes):
            right(self, [change for change in changes if next(numbers) % EVERY])
            return [None] * len(changes)

        return wrong

    _on_each_store(spoil)


def state_of_another():
    """A write now and then has the state of the sequence that was written before."""
    numbers, last = count(1), []

    def spoil(right):
        def wrong(self, changes):
            given = []
            for change in changes:
                record = change.record
                if record is not None and record.state:
                    last.append(record.state)
                    if next(numbers) % EVERY == 0:
                        change = change._replace(record=record._replace(state=last[-2]))
                given.append(change)
            return right(self, given)

        return wrong

    _on_each_store(spoil)


def stale_lease():
    """Whose number is not the newest may write as well."""

    class Script:
        right = redis_calls.SCRIPT.read_bytes()

        def read_bytes(self):
            assert CHECKED in self.right
            return self.right.replace(CHECKED, b"return true")

    redis_calls.SCRIPT = Script()


def _on_each_store(spoil):
    for store in (MemoryStore, FileStore, RedisStore):
        if "write" in vars(store):
            store.write = spoil(store.write)


FAULTS = {fault.__name__: fault for fault in (counted_twice, lost_write, state_of_another, stale_lease)}


def plant(name):
    """Plants the fault of this name; none for an empty one."""
    if name:
        FAULTS[name]()
