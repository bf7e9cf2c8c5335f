"""What 1,000 waits on one connection cost: requests, CPU, and how long the event loop stands still.

It takes two minutes and writes ``dev/bench/waiting.md``. The sandbox runs in a process of its own, with a clock that is
put forward so that batches end when the benchmark needs it; the waits run in a new process for each vendor.
"""

from __future__ import annotations

import asyncio
import compileall
import gc
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from dev.markdown import provenance, table
from dev.paths import ROOT
from dev.processes import airflow_environment, read_line, running_module

ROWS, WAITS, PAGE_SIZE = 2000, 1000, 100  # half of the sandbox's rows are unfinished until 30 % of its time is over
DURATION, SHORT, SHORT_TICKS, LONG, LONG_TICKS = 1e6, 1.0, 10, 10.0, 3
BEAT, GOAL_STILL, GOAL_SHARE = 0.005, 0.050, 0.01
TITLES = {"llamacloud.batch": "LlamaCloud v2 batches", "talkifai.batch_job": "TalkifAI batch jobs"}
MODULE = "dev.bench.waiting"
Figures = dict[str, Any]


def serve() -> None:
    """Run the sandbox with two more paths, which count its requests and put its clock forward."""
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    from airflow_batch_provider.sandbox import Settings, create_app
    from airflow_batch_provider.sandbox.server import Server

    clock = {"ahead": 0.0}
    app = create_app(Settings(jobs=ROWS, duration=DURATION), lambda: time.time() + clock["ahead"])

    async def forward(request: Any) -> JSONResponse:
        clock["ahead"] = float(request.query_params["share"]) * DURATION
        return JSONResponse(clock)

    async def count(request: Any) -> JSONResponse:
        return JSONResponse(len(app.state.requests))

    app.router.routes += [Route("/benchmark/count", count), Route("/benchmark/forward", forward)]
    Server(app, "127.0.0.1", 0, lambda url: print(url, flush=True)).run()


def get(url: str) -> Any:
    with urlopen(url) as answer:  # noqa: S310 - our own server
        return json.load(answer)


@asynccontextmanager
async def heart(still: list[Figures], phase: str) -> AsyncIterator[None]:
    """Beat every 5 ms; how late a beat comes is how long the event loop stood still."""
    late: list[float] = []
    without_collections: list[float] = []
    collected, collecting_since = 0.0, math.inf
    clock = time.perf_counter

    async def beat() -> None:
        while True:
            began, before = clock(), in_collections()
            await asyncio.sleep(BEAT)
            late.append(clock() - began - BEAT)
            without_collections.append(late[-1] - (in_collections() - before))

    def collecting(step: str, info: dict[str, int]) -> None:
        nonlocal collected, collecting_since
        collected, collecting_since = in_collections(), clock() if step == "start" else math.inf

    def in_collections() -> float:
        return collected + max(0.0, clock() - collecting_since)  # a thread may be at the end of one right now

    gc.callbacks.append(collecting)
    task = asyncio.create_task(beat())
    await asyncio.sleep(BEAT * 10)
    yield
    await asyncio.sleep(BEAT * 10)
    task.cancel()
    gc.callbacks.remove(collecting)
    over = f"{sum(gap >= GOAL_STILL for gap in late)} of {len(late)}"
    still.append({"phase": phase, "longest": max(late), "over": over, "without": max(without_collections)})


async def start(ids: list[str], interval: float, common: Figures) -> list[asyncio.Task[Any]]:
    """Start a wait for each batch, as the triggerer does it: it imports the trigger in the event loop."""
    trigger = import_module("airflow_batch_provider.triggers.batch").BatchStatusTrigger
    now, tasks = time.time(), []
    limits = {"end_time": now + 3600, "timeout": 3600, "stalled_after": 1800, "moved_at": now}
    for batch_id in ids:
        await asyncio.sleep(0)
        wait = trigger(batch_id=batch_id, poll_interval=interval, **limits, **common)
        tasks.append(asyncio.create_task(anext(wait.run())))
    return tasks


async def cancel(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
        await asyncio.sleep(0)
    await asyncio.wait(tasks)


async def after_tick(url: str) -> int:
    """Return the number of requests once it has risen and rises no more: a tick is over."""
    first = count = await asyncio.to_thread(get, f"{url}/benchmark/count")
    before = -1
    while count == first or count != before:
        await asyncio.sleep(0.15)
        before, count = count, await asyncio.to_thread(get, f"{url}/benchmark/count")
    return int(count)


async def measure(url: str, ids: list[str], **common: Any) -> Figures:
    still: list[Figures] = []
    async with heart(still, "no waits"):
        await asyncio.sleep(3)
    async with heart(still, "1,000 waits start, the first of the process"):
        tasks = await start(ids, LONG, common)
        await asyncio.sleep(1)
    await after_tick(url)
    cpu = time.process_time()
    await asyncio.sleep(LONG * LONG_TICKS)
    cpu = (time.process_time() - cpu) / LONG_TICKS
    async with heart(still, "all are cancelled"):
        await cancel(tasks)
    async with heart(still, "1,000 waits start again, until their first poll is over"):
        tasks = await start(ids, SHORT, common)
        before = await after_tick(url)
    async with heart(still, f"{SHORT_TICKS} steady polls"):
        await asyncio.sleep(SHORT * SHORT_TICKS)
        steady = (await asyncio.to_thread(get, f"{url}/benchmark/count") - before) / SHORT_TICKS
    before = await after_tick(url)
    await asyncio.to_thread(get, f"{url}/benchmark/forward?share=0.301")
    async with heart(still, "a poll after which 100 waits end"):
        ending = await after_tick(url) - before
    ended = sum(task.done() for task in tasks)
    await cancel(tasks)
    return {"cpu": cpu, "steady": steady, "ending": ending, "ended": ended, "still": still}


def run_measurement() -> None:
    # What a triggerer has imported before its first trigger, and how its triggers log.
    import airflow.jobs.triggerer_job_runner  # noqa: F401
    from airflow.sdk.log import configure_logging

    with open(Path(os.environ["AIRFLOW_HOME"], "log"), "ab", buffering=0) as log:
        configure_logging(json_output=True, output=log, sending_to_supervisor=True)
        json.dump(asyncio.run(measure(**json.load(sys.stdin))), sys.stdout)


def figures_of(kind: str) -> Figures:
    """Measure one kind against a server of its own."""
    from airflow_batch_provider.hooks.llamacloud import LlamaCloudHook
    from airflow_batch_provider.hooks.talkifai import TalkifAIHook
    from airflow_batch_provider.testing import connections_to
    from airflow_batch_provider.waiting.kinds import KINDS

    batch, vendor = KINDS[kind], kind.partition(".")[0]
    with running_module(MODULE, "serve", core=1) as server:
        url = read_line(server)
        get(f"{url}/benchmark/forward?share=0.29")
        landing_page = get(url)
        os.environ.update(connections_to(url, landing_page))
        hook = {"llamacloud": LlamaCloudHook, "talkifai": TalkifAIHook}[vendor]()
        words = {word: list(hook.iter_listing(batch.listing, status=word)) for word in batch.unfinished}
        ids = [row["id"] for row in chain(*words.values())]
        scope = {name: value for name, value in landing_page[vendor].items() if name in batch.scope}
        what = {"url": url, "ids": ids, "kind": kind, "connection_id": f"{vendor}_default", "scope": scope}
        with running_module(MODULE, "measure", core=0) as waiting:
            figures: Figures = json.loads(waiting.communicate(json.dumps(what))[0])
    return {**figures, "words": {word: len(rows) for word, rows in words.items()}}


def report(measured: dict[str, Figures]) -> str:
    requests, cpu, still = [], [], []
    for title, each in measured.items():
        # A word without any batch costs one request to learn that.
        bound = sum(max(1, math.ceil(count / PAGE_SIZE)) for count in each["words"].values())
        words = ", ".join(f"{word} {count}" for word, count in each["words"].items())
        requests += [(title, words, bound, each["steady"], WAITS, each["ended"], bound + each["ended"], each["ending"])]
        cpu += [(title, f"{each['cpu'] * 1000:.0f} ms", f"{each['cpu'] / LONG:.2%}")]
        for beats in each["still"]:
            longest, without = (f"{beats[name] * 1000:.0f} ms" for name in ("longest", "without"))
            still += [(title, beats["phase"], longest, beats["over"], without)]
    return f"""# Waiting: 1,000 waits on one connection

{provenance("make bench-waiting", "apache-airflow", "requests", "msgspec")}

The waits are `BatchStatusTrigger.run()` coroutines in one event loop. The process has imported what a triggerer
imports, and writes the same kind of log to a file. The server is the sandbox in its own process. It gives each running
LlamaCloud batch a new `updated_at` at each poll, so most of those waits see a change in each interval. TalkifAI's jobs
do not change.

## How many requests?

The bound is ceil(unfinished / {PAGE_SIZE}) for each status word, and one request for each wait that ends. TalkifAI's
pages overlap: 8 requests for 700 rows. The first figures are the mean of {SHORT_TICKS} intervals, the last ones those
of the interval in which some waits ended.

{table("waits for | unfinished | bound | requests | one each | ended | bound then | requests then", requests, 2)}

## How much CPU?

CPU time of the whole process over {LONG_TICKS} polls at an interval of {LONG:.0f} s.
Goal: below {GOAL_SHARE:.0%} of a core.

{table("waits for | CPU per poll | share of a core", cpu)}

## How long is the event loop blocked?

A coroutine sleeps {BEAT * 1000:.0f} ms again and again. The table shows how late it woke up at most; without waits
this is the noise of the machine. Goal: below {GOAL_STILL * 1000:.0f} ms. A full garbage collection stops Python while
it visits all objects of the process, most of them Airflow's. The last column excludes collections.

{table("waits for | while | longest | over 50 ms | longest without collections", still, 2)}
"""


def main() -> None:
    compileall.compile_dir(ROOT / "airflow_batch_provider", quiet=1)  # as pip does it
    measured = {}
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(airflow_environment(Path(home)))
        for kind, title in TITLES.items():
            print(f"measuring 1,000 waits for {title}, a bit more than a minute", flush=True)
            measured[title] = figures_of(kind)
    (ROOT / "dev" / "bench" / "waiting.md").write_text(report(measured))


if __name__ == "__main__":
    {"serve": serve, "measure": run_measurement}.get(" ".join(sys.argv[1:]), main)()
