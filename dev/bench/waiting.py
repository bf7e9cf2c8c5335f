"""What 1,000 waits on one connection cost: requests, CPU, and how long the event loop stands still.

``python -m dev.bench.waiting`` takes about three minutes and writes ``dev/bench/waiting.md``. The sandbox runs in a
process of its own, with a clock that is put forward so that batches end when the benchmark wants it; the waits run in
a fresh process for each vendor. Where there are two cores, each process has one.
"""

from __future__ import annotations

import asyncio
import compileall
import gc
import json
import math
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from importlib import import_module, metadata
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.request import urlopen

ROWS, WAITS, PAGE_SIZE = 2000, 1000, 100  # half of the sandbox's rows are unfinished until 30 % of its time is over
DURATION = 1e6
SHORT, SHORT_TICKS = 1.0, 10
LONG, LONG_TICKS = 10.0, 3
BEAT = 0.005
GOAL_STILL, GOAL_SHARE = 0.050, 0.01
TITLES = {"llamacloud.batch": "LlamaCloud v2 batches", "talkifai.batch_job": "TalkifAI batch jobs"}
Figures = dict[str, Any]


def serve() -> None:
    """Be the server: the sandbox, with two more paths that count its requests and put its clock forward."""
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    from airflow_batch_provider.sandbox import Settings, create_app
    from airflow_batch_provider.sandbox.server import Server

    ahead = 0.0
    app = create_app(Settings(jobs=ROWS, duration=DURATION), lambda: time.time() + ahead)

    async def count(request: Request) -> Response:
        return JSONResponse(len(app.state.requests))

    async def forward(request: Request) -> Response:
        nonlocal ahead
        ahead = float(request.query_params["share"]) * DURATION
        return JSONResponse(ahead)

    app.router.routes += [Route("/benchmark/count", count), Route("/benchmark/forward", forward)]
    Server(app, "127.0.0.1", 0, lambda url: print(url, flush=True)).run()


def ask(url: str) -> Any:
    with urlopen(url) as answer:  # noqa: S310 - our own server
        return json.load(answer)


@asynccontextmanager
async def heart(still: dict[str, Figures], phase: str) -> AsyncIterator[None]:
    """Beat every 5 ms; a beat that comes late tells how long the event loop stood still."""
    late: list[float] = []
    without_collections: list[float] = []
    collected, collecting_since = 0.0, math.inf
    clock = time.perf_counter

    async def beat() -> None:
        while True:
            began, collections = clock(), in_collections()
            await asyncio.sleep(BEAT)
            late.append(clock() - began - BEAT)
            without_collections.append(late[-1] - (in_collections() - collections))

    def collecting(step: str, info: dict[str, int]) -> None:
        nonlocal collected, collecting_since
        collected, collecting_since = in_collections(), clock() if step == "start" else math.inf

    def in_collections() -> float:
        return collected + max(0.0, clock() - collecting_since)  # a thread may be at the end of one right now

    gc.callbacks.append(collecting)
    task = asyncio.create_task(beat())
    await asyncio.sleep(BEAT * 10)
    try:
        yield
        await asyncio.sleep(BEAT * 10)
    finally:
        task.cancel()
        gc.callbacks.remove(collecting)
    over = sum(gap >= GOAL_STILL for gap in late)
    still[phase] = {"longest": max(late), "over": over, "beats": len(late), "without": max(without_collections)}


class Waits:
    """Waits for unfinished batches of one kind, started and cancelled as the triggerer does it."""

    def __init__(self, url: str, ids: list[str], **common: Any) -> None:
        self.url, self.ids, self.common = url, ids, common
        self.tasks: list[asyncio.Task[Any]] = []

    async def start(self, interval: float) -> None:
        """Start one for each batch."""
        # Imported in the event loop, as the triggerer does it.
        trigger = import_module("airflow_batch_provider.triggers.batch").BatchStatusTrigger
        now = time.time()
        limits = {"end_time": now + 3600, "timeout": 3600, "stalled_after": 1800, "moved_at": now}
        for batch_id in self.ids:
            await asyncio.sleep(0)
            wait = trigger(batch_id=batch_id, poll_interval=interval, **limits, **self.common)
            self.tasks.append(asyncio.create_task(anext(wait.run())))

    async def cancel(self) -> None:
        """Cancel all, and wait until they have ended."""
        for task in self.tasks:
            task.cancel()
            await asyncio.sleep(0)
        await asyncio.wait(self.tasks)
        self.tasks.clear()

    async def requests(self) -> int:
        """Ask the server how many requests it has had."""
        count: int = await asyncio.to_thread(ask, f"{self.url}/benchmark/count")
        return count

    async def after_tick(self) -> int:
        """Return the number of requests once it has risen and rises no more: a tick is over."""
        first = count = await self.requests()
        before = -1
        while count == first or count != before:
            await asyncio.sleep(0.15)
            before, count = count, await self.requests()
        return count

    async def cpu(self, interval: float, ticks: int) -> float:
        """Return the process's CPU seconds per tick."""
        cpu = time.process_time()
        await asyncio.sleep(interval * ticks)
        return (time.process_time() - cpu) / ticks


async def measure(url: str, ids: list[str], **common: Any) -> Figures:
    """Measure all with one kind of batch."""
    waits = Waits(url, ids, **common)
    still: dict[str, Figures] = {}
    figures: Figures = {"still": still}
    async with heart(still, "no waits"):
        await asyncio.sleep(3)
    async with heart(still, "1,000 waits start, the first of the process"):
        await waits.start(LONG)
        await asyncio.sleep(1)
    await waits.after_tick()
    figures["long"] = await waits.cpu(LONG, LONG_TICKS)
    async with heart(still, "all are cancelled"):
        await waits.cancel()
    async with heart(still, "1,000 waits start again, until their first tick is over"):
        await waits.start(SHORT)
        before = await waits.after_tick()
    figures["short"] = await waits.cpu(SHORT, SHORT_TICKS)
    figures["steady"] = (await waits.requests() - before) / SHORT_TICKS
    async with heart(still, f"{SHORT_TICKS} steady ticks"):
        await asyncio.sleep(SHORT * SHORT_TICKS)
    before = await waits.after_tick()
    await asyncio.to_thread(ask, f"{url}/benchmark/forward?share=0.301")
    async with heart(still, "a tick in which 100 waits end"):
        figures["ending"] = await waits.after_tick() - before
    figures["ended"] = sum(task.done() for task in waits.tasks)
    await waits.cancel()
    return figures


def run_measurement() -> None:
    """Be the process of the waits: what to measure comes over standard input, the figures leave over its output."""
    # What a triggerer has imported before its first trigger, and how its triggers log.
    import airflow.jobs.triggerer_job_runner  # noqa: F401
    from airflow.sdk.log import configure_logging

    with open(Path(os.environ["AIRFLOW_HOME"], "log"), "ab", buffering=0) as log:
        configure_logging(json_output=True, output=log, sending_to_supervisor=True)
        json.dump(asyncio.run(measure(**json.load(sys.stdin))), sys.stdout)


@contextmanager
def process(role: str, core: int) -> Iterator[subprocess.Popen[str]]:
    """Run this file in another role, on a core of its own where there are two; it ends with the block."""
    cores = sorted(os.sched_getaffinity(0))
    pin = ["taskset", "--cpu-list", str(cores[core])] if len(cores) > 1 else []
    command = [*pin, sys.executable, __file__, role]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, start_new_session=True, **pipes) as started:
        try:
            yield started
        finally:
            if started.poll() is None:
                os.killpg(started.pid, signal.SIGKILL)


def figures_of(kind: str) -> Figures:
    """Measure one kind against a server of its own."""
    from airflow_batch_provider.hooks.llamacloud import LlamaCloudHook
    from airflow_batch_provider.hooks.talkifai import TalkifAIHook
    from airflow_batch_provider.waiting.kinds import KINDS

    vendor, listing = kind.partition(".")[0], KINDS[kind].listing
    with process("serve", 1) as server:
        url = server.stdout.readline().strip() if server.stdout else ""
        ask(f"{url}/benchmark/forward?share=0.29")
        facts = ask(url)[vendor]
        scope = {name: facts[name] for name in KINDS[kind].scope if name in facts}
        connection = {"conn_type": vendor, "host": url, "password": facts["api_key"], "extra": scope}
        os.environ["AIRFLOW_CONN_BENCHMARK"] = json.dumps(connection)
        hook = {"llamacloud": LlamaCloudHook, "talkifai": TalkifAIHook}[vendor]("benchmark")
        words = {
            word: [row["id"] for row in hook.iter_listing(listing, status=word)] for word in KINDS[kind].unfinished
        }
        what = {
            "url": url,
            "kind": kind,
            "connection_id": "benchmark",
            "scope": scope,
            "ids": [*chain(*words.values())],
        }
        with process("measure", 0) as waiting:
            figures: Figures = json.loads(waiting.communicate(json.dumps(what))[0])
    return {**figures, "words": {word: len(ids) for word, ids in words.items()}}


def table(head: str, rows: Iterable[Iterable[object]]) -> str:
    lines = [head, " | ".join("---" for _ in head.split("|")), *(" | ".join(map(str, row)) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)


def met(figure: float, goal: float) -> str:
    return "met" if figure < goal else "missed"


def report(measured: dict[str, Figures]) -> str:
    """Return the report in Markdown."""
    cores = len(os.sched_getaffinity(0))
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("apache-airflow", "requests", "msgspec"))
    load, today = os.getloadavg()[1], datetime.now(UTC).date()
    requests, cpu, still = [], [], []
    for title, each in measured.items():
        # A word without any batch costs one request to learn that.
        bound = sum(max(1, math.ceil(count / PAGE_SIZE)) for count in each["words"].values())
        words = ", ".join(f"{word} {count}" for word, count in each["words"].items())
        requests += [(title, words, bound, each["steady"], WAITS, each["ended"], bound + each["ended"], each["ending"])]
        tick, share = (f"{each['short'] * 1000:.0f} ms", f"{each['short'] / LONG:.2%}")
        real, real_share = (f"{each['long'] * 1000:.0f} ms", f"{each['long'] / LONG:.2%}")
        cpu += [(title, tick, share, real, real_share, met(each["long"] / LONG, GOAL_SHARE))]
        for phase, beats in each["still"].items():
            longest, without = (f"{beats[name] * 1000:.0f} ms" for name in ("longest", "without"))
            judged = met(beats["longest"], GOAL_STILL), met(beats["without"], GOAL_STILL)
            over = f"{beats['over']} of {beats['beats']}"
            still += [(title, phase, longest, over, without, ", without collections ".join(dict.fromkeys(judged)))]
    return f"""# Waiting: 1,000 waits on one connection

Written by `python -m dev.bench.waiting` on {today}: {cores} cores, Python {platform.python_version()}, {versions}.
The machine's load over the last five minutes was {load:.1f}; the benchmark alone makes less than 0.5.

The waits are `BatchStatusTrigger.run()` coroutines in one event loop, beside the modules that a triggerer has imported,
with its kind of log going to a file. The server is the sandbox in a process of its own. It gives each running
LlamaCloud batch a new `updated_at` at each look, so most of those waits see a movement in each tick; nothing of
TalkifAI's jobs moves.

## How many requests?

Bound: ceil(unfinished / {PAGE_SIZE}) for each status word, and one read for each wait that ends. The server counted,
over {SHORT_TICKS} intervals; then over the one in which some ended.

{table("waits for | unfinished | bound | requests | one get each | ended | bound then | requests then", requests)}

## How much CPU?

CPU of the whole process of the waits. First over {SHORT_TICKS} ticks at an interval of {SHORT:.0f} s, from which
the share of a core at {LONG:.0f} s follows by division, since nothing runs between ticks.
Then over {LONG_TICKS} real ticks at {LONG:.0f} s.
Goal: below {GOAL_SHARE:.0%} of a core.

{table("waits for | CPU per tick | share at 10 s | CPU per tick at 10 s | share, measured | goal", cpu)}

## How long does the event loop stand still?

A coroutine sleeps {BEAT * 1000:.0f} ms again and again; shown is by how much the longest sleep was longer.
Goal: below {GOAL_STILL * 1000:.0f} ms. Without waits it is the machine's own noise.
A full garbage collection stops Python while it walks through all objects of the process, most of them Airflow's; the
last column but one leaves collections out.

{table("waits for | while | longest | over 50 ms | longest without collections | goal", still)}
"""


def main() -> None:
    """Measure, and write the report."""
    measured = {}
    compileall.compile_dir(Path(__file__).parents[2] / "airflow_batch_provider", quiet=1)  # as pip does it
    with tempfile.TemporaryDirectory() as home:
        os.environ["AIRFLOW_HOME"] = home
        for kind, title in TITLES.items():
            print(f"measuring 1,000 waits for {title}, a bit more than a minute", flush=True)
            measured[title] = figures_of(kind)
    text = report(measured)
    Path(__file__).with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    {"serve": serve, "measure": run_measurement}.get(" ".join(sys.argv[1:]), main)()
