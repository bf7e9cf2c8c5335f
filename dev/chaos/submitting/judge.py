"""What must be true after a trial, whatever befell the task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dev.chaos.submitting.tasks import Task

DAYS = 2 * 24 * 3600.0
"""Seconds, after which every job that was made and not started would have started by itself."""


def violations_after_success(task: Task, batches: int = 1) -> list[str]:
    """Return what is wrong although the last try should have succeeded.

    :param task: the task, all of whose tries have ended
    :param batches: how many were to run: one, and one more for each that was asked for as new
    """
    found = []
    last = task.outcomes[-1]
    if last.succeeded:
        batch_id = last.result["id"]
        if task.xcoms.get("batch_id") != batch_id:
            found.append(f"XCom batch_id is {task.xcoms.get('batch_id')}, the batch is {batch_id}")
        if (sensed := task.sensed(batch_id)) != last.result:
            found.append(f"the task returned {last.result}, the sensor {sensed}")
    else:
        found.append(f"the last try ended with {last.error or last.killed}: {last.message}")
    return [*found, *violations(task, batches, batches)]


def violations(task: Task, most: int = 1, least: int = 0) -> list[str]:
    """Return what is wrong with what the vendor counted, two days later.

    :param task: the task, all of whose tries have ended
    :param most: how often each item may have been processed
    :param least: how often it must have been
    """
    task.pass_time(DAYS)
    counts = task.account.counts()
    done = task.piece.done(counts)
    ran, idle = counts["ran"], {*counts["created"]} - {*counts["ran"], *counts["cancelled_before_run"]}
    expected = task.piece.items[1]
    found = [f"surprise: {one}" for one in counts["surprises"]]
    if not least <= len(ran) <= most:
        found.append(f"{len(ran)} batches ran")
    if too_often := {item: times for item, times in done.items() if times > most}:
        found.append(f"{len(too_often)} items were processed more than {most} times")
    if missing := {item for item in expected if done.get(item, 0) < least}:
        found.append(f"{len(missing)} items were processed less than {least} times")
    if foreign := done.keys() - expected:
        found.append(f"foreign items: {sorted(foreign)}")
    if idle and task.piece.vendor != "playment":
        found.append(f"batches that neither ran nor were cancelled: {sorted(idle)}")
    return found


def story(task: Task) -> str:
    """Return what happened, for a report."""
    lines = [f"{one.killed or one.error or 'success'} {one.message}" for one in task.outcomes]
    return "\n".join([*lines, *map(_line, task.account.log())])


def _line(entry: Mapping[str, Any]) -> str:
    if "mark" in entry:
        return f"--- {entry['mark']}"
    return f"{entry['at'] % 1e6:.0f} {entry['request']} {entry['status']} {entry.get('fault', '')}"
