"""The table of engines: ways to execute the steps of a recurrence over time, proven equal by tests.

cudnn chooses when the graph runs: the GPU's kernel there, the fused loops elsewhere. fused are these loops alone.
equation is the reference. compiled are the loops compiled by XLA, on the halves of the batch at the same time.

Another engine joins by a file with `run` and `why_not` and a line in `ENGINES`; `engine="auto"` takes the first of
`AUTO` that can run a layer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from models.layers.engines import compiled, cudnn, equation, fused
from models.layers.engines.asked import AskedLayer, use_cudnn
from models.layers.in_place_of import own_name

__all__ = ["ENGINES", "Engine", "check_name", "choose", "why_not"]


@dataclass(frozen=True)
class Engine:
    """One way through time.

    run(layer, inputs [batch, time, features], before State, mask [batch, time] or None, recurrent_mask
    [batch, units] or None, training) -> (outputs [batch, time, units], State after the last step). training: False
    saves nothing for a gradient, which is as right then and takes longer; None, unsaid, may become either.
    why_not(layer): reasons why it cannot run this layer; empty when it can.
    """

    name: str
    run: Callable[..., tuple[Any, Any]]
    why_not: Callable[[AskedLayer], list[str]]


ENGINES = {
    "cudnn": Engine("cudnn", cudnn.run, cudnn.why_not),
    "fused": Engine("fused", fused.run, fused.why_not),
    "equation": Engine("equation", equation.run, equation.why_not),
    "compiled": Engine("compiled", compiled.run, compiled.why_not),
}
AUTO = ("cudnn", "fused", "equation")  # compiled is for those who ask for it: what it makes cannot be exported


def check_name(name: str) -> str:
    """The name itself when it is "auto" or stands in the table. Raises ValueError otherwise."""
    if name != "auto" and name not in ENGINES:
        raise ValueError(f"engine={name!r} is not known; it expected one of {', '.join(['auto', *ENGINES])}.")
    return name


def why_not(name: str, layer: AskedLayer) -> list[str]:
    """Reasons why the engine of that name cannot run the layer; empty when it can."""
    return ENGINES[check_name(name)].why_not(layer)


def choose(layer: AskedLayer) -> Engine:
    """The engine that the layer asks for. Raises ValueError, with the reasons, when it cannot run the layer."""
    wanted = "cudnn" if layer.engine == "auto" and use_cudnn(layer) is True else layer.engine
    if wanted == "auto":
        return next(ENGINES[name] for name in AUTO if not ENGINES[name].why_not(layer))
    engine = ENGINES[wanted]
    reasons = engine.why_not(layer)
    if reasons:
        raise ValueError(
            f"engine={wanted!r} cannot run {own_name(type(layer))} {layer.name!r}: {'; '.join(reasons)}. "
            'engine="auto" takes one that can.'
        )
    return engine
