"""Who carries runs out: this process, others beside it, or a Dask cluster. Results come in the order of their ends.

None of them writes files: whoever asked gets each result as it comes, so that a machine of a cluster needs no folder
in common with it. A run is a pure function, so it may be carried out twice when a machine dies; it is kept once.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from importlib import import_module
from itertools import islice
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for
from typing import Any

from meshsim.errors import MeshsimError
from meshsim.mesh.scenario_loader import Sources
from meshsim.sweeps.cell import Job, Row, carry_out
from meshsim.sweeps.plan import Cell

Finished = tuple[Cell, Row]
Runs = Generator[Finished, None, None]
Pool = Callable[[Sources, Sequence[Cell]], Runs]
"""Carries out some cells of a scenario, and gives each with what came of it; closed, it leaves the others alone."""

#: Runs that are handed out ahead, for each process: enough that none waits, few enough that a stop loses little.
_AHEAD = 2


def here(sources: Sources, cells: Sequence[Cell]) -> Runs:
    """Carry cells out in this process, one after the other."""
    for cell in cells:
        yield cell, carry_out(Job(sources, cell))


def processes(count: int) -> Pool:
    """Carry cells out in so many processes of this machine."""

    def pool(sources: Sources, cells: Sequence[Cell]) -> Runs:
        packed, context = sources.packed(), mp.get_context("spawn")
        told, tell = context.Pipe(duplex=False)
        with told, tell, ProcessPoolExecutor(count, context, _begin, (told,)) as executor:
            try:
                yield from _windowed(cells, count * _AHEAD, lambda cell: executor.submit(carry_out, Job(packed, cell)))
            except (KeyboardInterrupt, GeneratorExit):
                tell.close()  # nobody wants the runs that are under way: they may take minutes
                raise
            except BrokenProcessPool as error:
                raise MeshsimError(
                    "a process of the sweep died, perhaps for want of memory",
                    remedy="run the same command again: it goes on from here; fewer --jobs need less memory",
                ) from error
            finally:
                executor.shutdown(wait=True, cancel_futures=True)

    return pool


def dask(address: str, timeout_s: int = 30) -> Pool:
    """Carry cells out on a Dask cluster.

    A worker that dies takes nothing with it but what it was doing: the scheduler gives that to another one, and
    results are fetched as they come and kept nowhere else.
    """

    def pool(sources: Sources, cells: Sequence[Cell]) -> Runs:
        client = _dask_client(address, timeout_s)
        try:
            yield from _over_dask(client, sources.packed(), cells)
        finally:
            client.close()

    return pool


_Submit = Callable[[Cell], "Future[Row]"]


def _windowed(cells: Iterable[Cell], window: int, submit: _Submit) -> Iterator[Finished]:
    """Keep so many cells under way, and give each when it is over."""
    left = iter(cells)
    under_way = {submit(cell): cell for cell in islice(left, window)}
    while under_way:
        ended, _ = wait(under_way, return_when=FIRST_COMPLETED)
        for future in ended:
            yield under_way.pop(future), future.result()
        under_way |= {submit(cell): cell for cell in islice(left, window - len(under_way))}


# --- processes ---


def _begin(told: Connection) -> None:
    """Begin a process: it ends when it is told to by the pipe's end; the interrupt key is the parent's matter."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(told,), daemon=True).start()


def _end_with(told: Connection) -> None:
    """Wait for the end of a pipe that the parent holds; it ends with the parent too, however that ends."""
    wait_for([told])
    os._exit(1)


# --- Dask ---


def _dask_client(address: str, timeout_s: int) -> Any:
    try:
        return _distributed().Client(address, timeout=timeout_s)
    except (OSError, ValueError, TimeoutError) as error:
        raise MeshsimError(
            f"no Dask scheduler: {error}", address, "start one: dask scheduler; and workers: dask worker ADDRESS"
        ) from error


def _distributed() -> Any:
    try:
        return import_module("distributed")
    except ImportError as error:
        raise MeshsimError("a cluster needs Dask", remedy="pip install 'meshsim[cluster]'") from error


def _over_dask(client: Any, sources: Sources, cells: Sequence[Cell]) -> Iterator[Finished]:
    by_key = {f"meshsim-{cell.key}": cell for cell in cells}
    left = iter(by_key.items())

    def submit(count: int) -> list[Any]:
        return [client.submit(carry_out, Job(sources, cell), key=key, pure=False) for key, cell in islice(left, count)]

    window = _AHEAD * max(1, len(client.scheduler_info()["workers"]))
    ended = _distributed().as_completed(submit(window), with_results=True, raise_errors=False)
    for future, outcome in ended:
        cell = by_key[future.key]
        failed = future.status == "error"
        future.release()  # or a worker's death would have it carried out again
        if failed:
            raise MeshsimError(f"{_words(outcome)}", f"cell {cell.number} on the cluster", _CLUSTER_REMEDY)
        yield cell, outcome
        for new in submit(1):
            ended.add(new)


_CLUSTER_REMEDY = "the same command goes on from here; workers need meshsim of the same version, and memory"


def _words(outcome: Any) -> str:
    error = outcome[1] if isinstance(outcome, tuple) and len(outcome) > 1 else outcome
    return f"{type(error).__name__}: {error}"
