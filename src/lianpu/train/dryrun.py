"""A full training step at paper scale without a GPU: every forward, backward, double backward and optimiser step on the `meta` device,
where tensors have shapes and types but no numbers. It proves the step device- and dtype-clean and counts what it would cost.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from lianpu.config import RunConfig
from lianpu.randomness import Draw
from lianpu.train.kinds import kind_of
from lianpu.train.loop import Clock
from lianpu.train.world import World

__all__ = ["Cost", "dry_run"]


@dataclass(frozen=True)
class Cost:
    """What one step of a run takes."""

    parameters: dict[str, int]
    """Learnt numbers of each network."""
    batch: int
    """Pictures in a step."""
    every: dict[str, int] = field(default_factory=dict)
    """Steps from one update to the next of the same name, where it does not come at every step."""
    flops: dict[str, int] = field(default_factory=dict)
    """Floating point operations of each update, forward and backward; a multiply-add counts as two."""
    saved_bytes: dict[str, int] = field(default_factory=dict)
    """Activations each update keeps for its backward."""
    fixed_bytes: int = 0
    """Weights, gradients, Adam's two moments, the moving average and buffers."""

    @property
    def memory_bytes(self) -> int:
        """Predicted peak: what is always there, and the hungriest update's activations. Workspaces come on top."""
        return self.fixed_bytes + max(self.saved_bytes.values())

    @property
    def flops_per_image(self) -> float:
        """Mean over a run: what comes at every sixteenth step counts a sixteenth."""
        return sum(flops / self.every.get(name, 1) for name, flops in self.flops.items()) / self.batch


class Flops(TorchDispatchMode):
    """Counts what every operator inside costs, by torch's own table. (FlopCounterMode also follows modules, and fails where autograd.grad
    is asked for a leaf, as R1 without augmentation does.)
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if (count := flop_registry.get(func._overloadpacket)) is not None:
            self.total += count(*args, **(kwargs or {}), out_val=out)
        return out


def dry_run(config: RunConfig) -> Cost:
    """One step with all regularisers of `config` on the meta device; any error in it is a bug in lianpu."""
    device = torch.device("meta")
    with device:
        task, batch, every = kind_of(config).rehearse(config, World(device=device))
    optimisers = {
        name: torch.optim.Adam(n.parameters(), lr=a.lr, betas=a.betas) for name, (n, a) in task.learners().items()
    }
    clock = Clock(config.batch)
    flops: dict[str, int] = {}
    saved: dict[str, int] = {}
    updates = task.updates(batch, clock, Draw(config.seed, 0, device=device))
    own = {t.untyped_storage()._cdata for t in (*task.parameters(), *task.buffers())}
    while True:
        kept: dict[int, torch.UntypedStorage] = {}

        def keep(tensor: Tensor, kept: dict[int, torch.UntypedStorage] = kept) -> Tensor:
            storage = tensor.untyped_storage()
            if storage._cdata not in own:
                kept[storage._cdata] = storage
            return tensor

        with Flops() as counter, torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
            update = next(updates, None)
            if update is None:
                break
            optimisers[update.learner].zero_grad(set_to_none=True)
            update.loss.backward()
        optimisers[update.learner].step()
        flops[update.name] = counter.total
        saved[update.name] = sum(s.nbytes() for s in kept.values())
    task.finish(clock)
    numbers = {name: sum(p.numel() for p in n.parameters()) for name, (n, _) in task.learners().items()}
    fixed = sum(t.numel() * t.element_size() for t in (*task.parameters(), *task.buffers())) + 3 * 4 * sum(
        numbers.values()
    )
    return Cost(numbers, config.batch, every, flops, saved, fixed)
