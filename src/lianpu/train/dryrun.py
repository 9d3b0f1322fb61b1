"""A full training step at paper scale without a GPU: every forward, backward, double backward and optimiser step on the `meta` device,
where tensors have shapes and types but no numbers. It proves the step device- and dtype-clean and counts what it would cost.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from lianpu.config import TrainConfig
from lianpu.randomness import Draw
from lianpu.train.feed import Batch
from lianpu.train.gan import GanTask
from lianpu.train.loop import Clock
from lianpu.train.world import World

__all__ = ["Cost", "dry_run"]


@dataclass(frozen=True)
class Cost:
    """What one step of a run takes."""

    parameters: dict[str, int]
    """Learnt numbers of each network."""
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

    def flops_per_image(self, config: TrainConfig) -> float:
        """Mean over a run: the regularisers count as often as they run."""
        share = {"loss/G path": 1 / config.path_every, "loss/D R1": 1 / config.r1_every}
        return sum(flops * share.get(name, 1.0) for name, flops in self.flops.items()) / config.batch


def dry_run(config: TrainConfig) -> Cost:
    """One step with all regularisers of `config` on the meta device; any error in it is a bug in lianpu."""
    device = torch.device("meta")
    with device:
        task = GanTask(config, World(device=device))
    net = config.net
    batch = Batch(
        torch.empty(config.batch, net.image_channels, net.resolution, net.resolution, device=device),
        torch.zeros(config.batch, dtype=torch.int64, device=device),
    )
    optimisers = {name: torch.optim.Adam(n.parameters(), lr=a.lr, betas=a.betas) for name, (n, a) in task.learners().items()}
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

        with FlopCounterMode(display=False) as counter, torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
            update = next(updates, None)
            if update is None:
                break
            optimisers[update.learner].zero_grad(set_to_none=True)
            update.loss.backward()
        optimisers[update.learner].step()
        flops[update.name] = counter.get_total_flops()
        saved[update.name] = sum(s.nbytes() for s in kept.values())
    task.finish(clock)
    numbers = {name: sum(p.numel() for p in n.parameters()) for name, (n, _) in task.learners().items()}
    fixed = sum(t.numel() * t.element_size() for t in (*task.parameters(), *task.buffers())) + 3 * 4 * sum(numbers.values())
    return Cost(numbers, flops, saved, fixed)
