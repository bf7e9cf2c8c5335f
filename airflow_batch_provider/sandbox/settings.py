"""What can be chosen when the sandbox starts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

LastPage = Literal["absent", "null", "empty"]
LAST_PAGE_FORMS: tuple[str, ...] = get_args(LastPage)
MAX_JOBS = 1_000_000


@dataclass(frozen=True)
class Settings:
    """What the sandbox serves and how it behaves; equal settings serve equal ids and keys.

    :param jobs: rows in each big listing (jobs of the Playment batch, LlamaCloud batches, LlamaCloud batch
        processing jobs, TalkifAI batch jobs).
    :param latency: seconds by which each API answer is delayed.
    :param seed: chooses keys, ids and which rows fail.
    :param failure_rate: share of API requests answered with a transient fault, 0 to 1.
    :param duration: seconds from the start of the sandbox until its last batch is finished.
    :param last_page: what stands for "no more pages" in ``next_page_token``. Playment does not document it,
        LlamaCloud documents an absent key; clients had better take all three.
    :raises ValueError: if a value is out of its range; the message names it.
    """

    jobs: int = 350
    latency: float = 0.0
    seed: int = 1
    failure_rate: float = 0.0
    duration: float = 30.0
    last_page: LastPage = "absent"

    def __post_init__(self) -> None:
        if not 0 <= self.jobs <= MAX_JOBS:
            raise ValueError(f"jobs must be from 0 to {MAX_JOBS}, not {self.jobs}")
        if not 0 <= self.failure_rate <= 1:
            raise ValueError(f"failure rate must be from 0 to 1, not {self.failure_rate}")
        for name, seconds in (("latency", self.latency), ("duration", self.duration)):
            if not 0 <= seconds < math.inf:
                raise ValueError(f"{name} must be a finite number of seconds, 0 or more, not {seconds}")
        if self.last_page not in LAST_PAGE_FORMS:
            raise ValueError(f"last page must be one of {', '.join(LAST_PAGE_FORMS)}, not {self.last_page}")

    def next_page_token(self, token: str | None) -> dict[str, str | None]:
        """Give the ``next_page_token`` part of a page; no token: the last page."""
        if token is None and self.last_page == "absent":
            return {}
        return {"next_page_token": "" if token is None and self.last_page == "empty" else token}
