"""How work that was submitted proceeds: a pure function of its times and of the clock."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_batch_provider.sandbox.world import Stage


@dataclass(frozen=True)
class Run:
    """Items that are done one after the other, evenly; all times are Unix milliseconds.

    A cancelled run ends with the item that it is busy with, which is finished; the items after that are cancelled.

    :param begins: when the first item begins.
    :param ends: when the last one ends.
    :param items: how many there are.
    :param cancelled: when the run was cancelled, if it was.
    """

    begins: int
    ends: int
    items: int
    cancelled: int | None = None

    def window(self, item: int) -> tuple[int, int]:
        """Return when an item begins and when it ends."""
        span = self.ends - self.begins
        return self.begins + span * item // self.items, self.begins + span * (item + 1) // self.items

    @property
    def limit(self) -> int:
        """How many items are ever done."""
        return self.items if self.cancelled is None else self._begun(self.cancelled)

    @property
    def over(self) -> int:
        """When the run ends."""
        if self.cancelled is None:
            return self.ends
        return max(self.cancelled, self.window(self.limit - 1)[1]) if self.limit else self.cancelled

    def stage(self, now: float) -> Stage:
        """Return where the run stands."""
        if now >= self.over:
            return "completed" if self.cancelled is None else "cancelled"
        return "waiting" if now < self.begins else "running"

    def item_stage(self, item: int, now: float) -> Stage:
        """Return where an item stands."""
        if item >= self.limit:
            return "cancelled" if self.cancelled is not None and now >= self.cancelled else "waiting"
        begins, ends = self.window(item)
        if now >= ends:
            return "completed"
        return "waiting" if now < begins else "running"

    def done(self, now: float) -> int:
        """Return how many items are done."""
        return min(self._passed(now), self.limit)

    def updated(self, now: float) -> int:
        """Return when something changed last: an item ended, the run began, ended or was cancelled."""
        done = self.done(now)
        times = [self.begins, self.over, *([self.cancelled] if self.cancelled is not None else [])]
        if done:
            times.append(self.window(done - 1)[1])
        return max((time for time in times if time <= now), default=0)

    def _begun(self, now: float) -> int:
        """Return how many items have begun, whether the run was cancelled or not."""
        return 0 if now < self.begins else min(self._passed(now) + 1, self.items)

    def _passed(self, now: float) -> int:
        """Return how many items have ended, whether the run was cancelled or not."""
        passed, span = int(now) - self.begins, self.ends - self.begins
        if passed < 0 or not self.items:
            return 0
        # The greatest n for which begins + span * n // items <= now.
        return self.items if span <= 0 else min(self.items, ((passed + 1) * self.items - 1) // span)
