"""The processes of one run: one alone, or several under `torchrun` that share each global batch and average their gradients."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
import torch.distributed as dist
from torch import Tensor

from lianpu.errors import ResourceError, UsageError
from lianpu.nets.spade import SumOverProcesses

__all__ = ["World", "choose_device", "join"]


@dataclass(frozen=True)
class World:
    """This process's place among its peers."""

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def first(self) -> bool:
        """The one process that writes."""
        return self.rank == 0

    def mean_(self, tensors: Sequence[Tensor]) -> None:
        """Averages tensors over the processes, in place, in one message."""
        if self.size > 1 and tensors:
            flat = torch.cat([t.reshape(-1).float() for t in tensors])
            dist.all_reduce(flat)
            for tensor, part in zip(tensors, flat.div_(self.size).split([t.numel() for t in tensors]), strict=True):
                tensor.copy_(part.view_as(tensor))

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum of `tensor` over the processes."""
        if self.size > 1:
            tensor = tensor.clone()
            dist.all_reduce(tensor)
        return tensor

    def gather(self, rows: Tensor) -> Tensor:
        """The rows of the whole batch, (n, ...) -> (n * size, ...), in the order of one process that has them all. What is asked of a row
        by any process's loss comes back to its own, so that `mean_` of the gradients is the gradient of one such loss.
        """
        if self.size == 1:
            return rows
        whole = rows.new_zeros(len(rows) * self.size, *rows.shape[1:])
        whole[self.rank :: self.size] = rows
        total = SumOverProcesses.apply(whole)
        assert isinstance(total, Tensor)
        return total

    def highest(self, value: int) -> int:
        """The largest of the processes' values: how all of them learn that one was told to stop."""
        if self.size == 1:
            return value
        tensor = torch.tensor(value, device=self.device)
        dist.all_reduce(tensor, dist.ReduceOp.MAX)
        return int(tensor)

    def wait(self) -> None:
        if self.size > 1:
            dist.barrier()


def choose_device(name: str = "auto") -> torch.device:
    """auto: CUDA where there is one, otherwise the CPU; a device asked for by name is that or an error, never another.

    float32 is float32 on it: cuDNN's convolutions would round their operands to TF32, 10 bits of mantissa.
    """
    torch.backends.cudnn.allow_tf32 = False
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"unknown device {name!r}.", fix="Use auto, cpu, cuda or cuda:0.") from None
    if device.type == "cuda" and not (torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()):
        raise ResourceError(
            f"device {name} is not there.", f"{torch.cuda.device_count()} CUDA devices found.", "Use --device cpu."
        )
    return device


@contextlib.contextmanager
def join(device: str = "auto") -> Iterator[World]:
    """Joins the processes that torchrun started (it sets WORLD_SIZE), or stays alone."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World(device=choose_device(device))
        return
    local = int(os.environ.get("LOCAL_RANK", "0"))
    chosen = choose_device(device)
    if chosen.index is not None:
        raise UsageError(
            f"under torchrun each process takes a GPU of its own, not all {device}.", fix="Use --device cuda."
        )
    if chosen.type == "cuda":
        chosen = torch.device("cuda", local)
        torch.cuda.set_device(chosen)
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield World(dist.get_rank(), size, chosen)
    finally:
        dist.destroy_process_group()
