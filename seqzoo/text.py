"""`seqzoo ask --stream` and `seqzoo chat`: text from a served model, shown as it comes."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from seqzoo.ask import connect, given
from training.errors import InputError

Write = Callable[[str], object]


def stream(model: str, inputs: str | None, url: str, timeout: float, token: str | None, roots: str | None) -> Any:
    """The text that follows a prompt, piece by piece. inputs: a JSON object of `prompt` and how it is to be gone on
    from, or @FILE with one.

    Raises InputError for other inputs, and the client's error when the server refuses."""
    from serving.stream_client import Generates

    keys = {"prompt": ""} if inputs is None else given(inputs)
    known = [name for name in inspect.signature(Generates.generate).parameters if name not in ("self", "model")]
    for key in keys:
        if key not in known:
            raise InputError(f"--inputs has {key!r}; with --stream it may have {', '.join(known)}.")
    if "prompt" not in keys:
        raise InputError("--inputs has no prompt; with --stream it needs one, which may be empty.")
    return _pieces(connect(url, timeout, token, roots), model, keys)


def _pieces(client: Any, model: str, keys: dict[str, Any]) -> Iterator[str]:
    with client, client.generate(model, **keys) as pieces:
        yield from pieces


def chat(client: Any, model: str, read: Callable[[], str], write: Write, **how: Any) -> None:
    """Takes turns with a model until there is no more to read: what it reads is fed, what it writes is shown.

    read: the next line of the user, EOFError when there is none; how: as the client's `generate` takes it. The model
    goes on from all that was said before."""
    sequence: int | str | None = None
    try:
        while True:
            try:
                line = read()
            except EOFError:
                break
            said = client.generate(model, f"{line}\n", sequence_id=sequence, keep=True, **how)
            try:
                with said:
                    for piece in said:
                        write(piece)
            except KeyboardInterrupt:  # the server forgets a sequence whose text is not awaited
                write("\n(what was said so far is forgotten)")
                sequence = None
            else:
                sequence = said.sequence_id
            write("\n")
    except BaseException:  # Ctrl-C while the user writes, or an error of the server
        with suppress(Exception):
            _end(client, model, sequence)
        raise
    _end(client, model, sequence)


def _end(client: Any, model: str, sequence: int | str | None) -> None:
    """The server forgets the sequence: a text without `keep` ends it."""
    if sequence is not None:
        for _ in client.generate(model, "\n", sequence_id=sequence, max_tokens=1):
            pass
