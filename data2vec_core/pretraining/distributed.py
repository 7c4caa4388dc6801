"""One training run in several processes, on one host or many: what each has, and how they agree.

The loop speaks to a `World` and never asks how many processes there are; a world of one answers by itself. `torchrun`
starts the processes, `distributed_world` joins them.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar, overload

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from data2vec_core.transformer import BlockStack

Value = TypeVar("Value")

PATIENCE = timedelta(minutes=30)
"""How long a process waits for the others before it gives up. One that dies under `torchrun` takes the others along at
once; this is for one that hangs. Whatever one does alone, such as writing a checkpoint, must take less."""


@dataclass(frozen=True)
class Shard:
    """Which rows of every batch a process has: each `size`-th, beginning with row `rank`."""

    rank: int = 0
    size: int = 1

    @overload
    def of(self, rows: Tensor) -> Tensor: ...
    @overload
    def of(self, rows: Sequence[Value]) -> Sequence[Value]: ...
    def of(self, rows: Tensor | Sequence[Value]) -> Tensor | Sequence[Value]:
        """Its own of all rows of a batch: of a tensor, or of a list of what is still to be read."""
        return rows[self.rank :: self.size]

    def places(self, count: int) -> range:
        """Where its first `count` rows are in the whole batch."""
        return range(self.rank, self.rank + count * self.size, self.size)


class World:
    """The processes of a run, as one of them sees them: here the only one.

    All must call the methods in the same order.

    Args:
        device: what the process computes on.
    """

    shard = Shard()
    """What this process has of every batch."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files and shows the progress."""
        return self.shard.rank == 0

    def join(self, model: nn.Module) -> nn.Module:
        """The model to call for a loss, after whose backward pass gradients are the mean over all processes. Gives
        the first process's weights to all."""
        return model

    def apart(self, joined: nn.Module) -> AbstractContextManager[None]:  # noqa: ARG002
        """While it lasts, passes of a joined model add to the gradients of this process alone; the first backward pass
        after it brings those together, too."""
        return nullcontext()

    def sum(self, numbers: Tensor) -> Tensor:
        """Element by element, over all processes."""
        return numbers

    def fewest(self, number: int) -> int:
        """The smallest of all processes."""
        return number

    def any(self, is_true: bool) -> bool:
        """Whether it is true in one of them."""
        return is_true

    def gather(self, value: Value) -> list[Value]:
        """Of each process, in order."""
        return [value]

    def from_first(self, value: Value) -> Value:
        """What the first one has."""
        return value

    def wait(self) -> None:
        """For all to get here."""


class _Processes(World):
    """The same of a default process group."""

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self.shard = Shard(distributed.get_rank(), distributed.get_world_size())

    def join(self, model: nn.Module) -> nn.Module:
        # Layer drop leaves blocks without a gradient, other ones in every process. To look for them costs time.
        has_layer_drop = any(isinstance(module, BlockStack) and module.layerdrop > 0 for module in model.modules())
        return DistributedDataParallel(model, forward_sync_buffers=False, find_unused_parameters=has_layer_drop)

    def apart(self, joined: nn.Module) -> AbstractContextManager[None]:
        assert isinstance(joined, DistributedDataParallel)
        return joined.no_sync()

    def sum(self, numbers: Tensor) -> Tensor:
        numbers = numbers.clone()
        distributed.all_reduce(numbers)
        return numbers

    def fewest(self, number: int) -> int:
        smallest = torch.tensor(number)
        distributed.all_reduce(smallest, distributed.ReduceOp.MIN)
        return int(smallest)

    def any(self, is_true: bool) -> bool:
        return bool(self.sum(torch.tensor(int(is_true))))

    def gather(self, value: Value) -> list[Value]:
        values: list[Value] = [value] * self.shard.size
        distributed.all_gather_object(values, value)
        return values

    def from_first(self, value: Value) -> Value:
        values = [value]
        distributed.broadcast_object_list(values)
        return values[0]

    def wait(self) -> None:
        self.any(False)


@contextmanager
def distributed_world(device: torch.device | str = "cpu", patience: timedelta = PATIENCE) -> Iterator[World]:
    """Join the other processes, where `torchrun` started this one, and leave them in the end; otherwise, the world of
    one.

    After an error the process should end: then `torchrun` ends the others.

    Args:
        device: `cpu`, where the processes talk by gloo, or `cuda`, by NCCL; each process of a host gets the GPU of its
            place there.
        patience: see `PATIENCE`.

    Raises:
        ValueError: the host has fewer GPUs than processes.
    """
    device = torch.device(device)
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield World(device)
        return
    backend = "gloo"
    if device.type == "cuda":
        place = int(os.environ["LOCAL_RANK"])
        if place >= torch.cuda.device_count():
            raise ValueError(
                f"--nproc_per_node: this host has {torch.cuda.device_count()} GPUs, too few for process {place + 1}"
            )
        device = torch.device("cuda", place)
        torch.cuda.set_device(device)
        backend = "cpu:gloo,cuda:nccl"  # numbers that steer the loop never touch the GPU
    # DistributedDataParallel imports this, and its default arguments would keep a group that is there by then: the
    # group's threads would run into the end of the interpreter, which can abort the process.
    importlib.import_module("torch.distributed.nn.functional")
    distributed.init_process_group(backend, timeout=patience)
    yield _Processes(device)
    # Not after an error: leaving in good order could mean waiting for those who wait for this one.
    distributed.destroy_process_group()
