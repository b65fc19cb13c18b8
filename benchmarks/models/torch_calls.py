"""torch.nn by task, eager, as it is used: its own kernels run the whole sequence."""

import functools
from typing import Any

import torch

from benchmarks.models import cases
from benchmarks.models.cases import Arrays, Case
from benchmarks.models.contenders import Contender
from benchmarks.models.machine import THREADS

torch.set_num_threads(THREADS)


def make(case: Case, name: str) -> Contender:
    """The contender "torch"."""
    return {"forward": forward, "gradients": gradients, "step": step, "train": train}[case.task](case)


def recurrence(case: Case, levels: int = 1) -> Any:
    """torch.nn.LSTM, GRU or RNN with the case's weights."""
    Kind = getattr(torch.nn, "RNN" if case.kind == "VanillaRNN" else case.kind)
    network = Kind(case.features, case.units, num_layers=levels, batch_first=True)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in cases.weights(case).items()})
    return network


def forward(case: Case) -> Contender:
    """The outputs of all time steps."""
    network, x = recurrence(case), torch.from_numpy(cases.inputs(case))
    call = torch.inference_mode()(lambda: network(x)[0])
    return Contender(call, lambda: {"outputs": call().numpy()})


def gradients(case: Case) -> Contender:
    """The outputs, and the gradients of inputs and weights."""
    network, x = recurrence(case), torch.from_numpy(cases.inputs(case)).requires_grad_()
    names, parameters = zip(*network.named_parameters(), strict=True)
    from_above = torch.from_numpy(cases.cotangent(case))

    def call() -> Any:
        outputs, _ = network(x)
        return outputs, torch.autograd.grad(outputs, [x, *parameters], from_above)

    def numbers() -> Arrays:
        outputs, found = call()
        by_name = {f"d {name}": d.numpy() for name, d in zip(("inputs", *names), found, strict=True)}
        return {"outputs": outputs.detach().numpy(), **by_name}

    return Contender(call, numbers)


def step(case: Case) -> Contender:
    """One time step with the state handed in and out."""
    network, x = recurrence(case), torch.from_numpy(cases.inputs(case))
    before: Any = tuple(torch.from_numpy(state)[None] for state in cases.states(case))
    call = torch.inference_mode()(lambda: network(x, before if len(before) > 1 else before[0])[1])

    def numbers() -> Arrays:
        after = call()
        return {f"state {part}": s[0].numpy() for part, s in enumerate(after if len(before) > 1 else [after])}

    return Contender(call, numbers)


def train(case: Case) -> Contender:
    """One step of Adam on a classifier of sequences: two layers and a readout of the last state.

    Only its first loss is compared: Adam moves torch's two biases of a layer twice as far as one that is their sum."""
    network, head = recurrence(case, levels=2), torch.nn.Linear(case.units, cases.CLASSES)
    kernel, bias = (torch.from_numpy(array) for array in cases.readout(case))
    head.load_state_dict({"weight": kernel.T, "bias": bias})
    optimizer = torch.optim.Adam([*network.parameters(), *head.parameters()], 1e-3, eps=1e-7)  # eps: Keras's
    x, y = torch.from_numpy(cases.inputs(case)), torch.from_numpy(cases.labels(case))
    loss_of = functools.partial(torch.nn.functional.cross_entropy, target=y)

    def call() -> Any:
        optimizer.zero_grad()
        loss = loss_of(head(network(x)[0][:, -1]))
        loss.backward()
        optimizer.step()
        return loss

    return Contender(call, lambda: {"first loss": call().detach().numpy()})
