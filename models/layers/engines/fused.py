"""The default engine on CPU: only what is truly recurrent stays in the loop.

Before the loop one matrix product projects the inputs of all steps. The loop holds the product with the old state and
the gates. The gradient is written out: it walks back through the saved gates, and forms the gradient of each weight as
one product over all steps after the loop.
"""

from typing import Any

from models.layers.engines import gradient
from models.layers.engines.asked import AskedLayer
from models.layers.engines.fused_steps import FUSED_STEPS
from models.layers.engines.loops import Loops
from models.layers.known_activations import activation_name

Tensor = Any


def why_not(layer: AskedLayer) -> list[str]:
    """Reasons why the fused engine cannot run this layer; empty when it can."""
    cell = layer.cell
    step = FUSED_STEPS.get(cell.equation)
    if step is None:
        return [f"{cell.equation.__name__} has no fused step"]
    reasons = []
    for name, expected in step.activations.items():
        chosen = activation_name(cell.activations[name])
        if chosen != expected:
            reasons.append(f"{name} is {chosen}, the fused gradient is written for {expected}")
    if layer.unroll:
        reasons.append("unroll is True, the fused engine has one loop")
    return reasons


def run(
    layer: AskedLayer,
    inputs: Tensor,
    before: Any,
    mask: Tensor | None,
    recurrent_mask: Tensor | None,
    training: bool | None,
) -> tuple[Tensor, Any]:
    """Walks through time in time-major order; see `engines.Engine` for shapes."""
    loops = Loops.of(layer.cell, mask, recurrent_mask, training)
    return gradient.walk(layer.cell, inputs, before, loops.forward, loops.backward, training is not False)
