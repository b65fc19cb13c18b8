"""A call of a sequence as both faces hand it on, and the checks of its inputs."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np

from serving.batching.ragged import LENGTHS
from serving.calls import predict
from serving.calls.model_spec import ModelSpec
from serving.errors import InvalidArgumentError, ServingError
from serving.sequences import errors
from serving.sequences.contract import STATE, Contract
from serving.sequences.joining import Step
from serving.sequences.patience import Gone, Patience, never
from serving.sequences.special_inputs import ID, START, STEP, SpecialInputs
from serving.sequences.turns import Place
from serving.servable import Servable
from serving.signature import Signature


@dataclass(slots=True)
class Call:
    """One request, decoded as far as that needs no signature."""

    spec: ModelSpec
    special: Callable[[], SpecialInputs]  # raises INVALID_ARGUMENT
    special_aliases: Collection[str]  # that it has
    aliases: Collection[str]  # of its other inputs
    feeds: Callable[[Signature], Mapping[str, np.ndarray]]  # those as tensor name -> array; raises INVALID_ARGUMENT
    no_signature: ServingError  # for a version without the signature `step`
    output_filter: Collection[str] = ()
    deadline_micros: int | None = None  # by the server's clock
    gone: Gone = never
    place: Place | None = None  # in the line of its sequence, where it took one before it had a thread

    @property
    def patience(self) -> Patience:
        """How long it waits."""
        return Patience(self.deadline_micros, self.gone)


def wanted_outputs(call: Call, contract: Contract) -> tuple[str, ...]:
    """The outputs that the answer has; states only where the filter names them."""
    if not call.output_filter:
        return contract.outputs
    named = [alias for alias in call.output_filter if alias not in (ID, STEP)]  # they come always
    if not named:
        return ()
    return tuple(slot.alias for slot in predict.wanted_outputs(contract.signature, named))


def step_of(call: Call, control: int, contract: Contract, servable: Servable, state: bytes) -> Step:
    """The row that the call asks to run, checked; state: what the step before left."""
    outputs = wanted_outputs(call, contract)
    given = [alias for alias in call.aliases if alias.startswith(STATE)]
    if given and (control != START or set(given) != {part.alias for part in contract.states}):
        raise errors.state_inputs(given)
    expected = contract.expected(bool(given), LENGTHS in call.aliases)
    feeds = call.feeds(expected)
    data: dict[str, np.ndarray] = {}
    for alias, slot in expected.inputs.items():
        if alias.startswith(STATE):
            continue
        array = data[slot.tensor] = feeds[slot.tensor]
        if array.shape[:1] != (1,):
            raise errors.rows(alias, array.shape[0] if array.ndim else 0)
    servable.check_dtypes(feeds)
    if given:
        state = _given_state({alias: feeds[slot.tensor] for alias, slot in expected.inputs.items()}, contract)
    return Step(state, contract.ragged.filled(data), outputs)


def _given_state(arrays: Mapping[str, np.ndarray], contract: Contract) -> bytes:
    for part in contract.states:
        shape = arrays[part.alias].shape
        if shape[:1] != (1,):
            raise errors.rows(part.alias, shape[0] if shape else 0)
        if shape != (1, *part.shape):
            raise InvalidArgumentError(
                f"State input {part.alias} has the shape [{','.join(map(str, shape))}]; expected "
                f"[{','.join(map(str, (1, *part.shape)))}]"
            )
    return contract.pack(arrays)[0]


def is_ordinary(call: Call, servable: Servable) -> bool:
    """Whether the special inputs are the signature's own, so that the call is an ordinary one."""
    signature = servable.signatures.get(call.spec.signature)
    return signature is not None and all(alias in signature.inputs for alias in call.special_aliases)
