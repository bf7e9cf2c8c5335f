"""The two example vendors, so that one test covers both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from airflow_batch_provider.testing import no_backoff
from anthropic_batches import batches as anthropic_batches
from openai_batches import batches as openai_batches
from tests.examples import anthropic_api, openai_api

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
IDS = ("row-1", "bad-2", "late-3", "row-4")


@dataclass(frozen=True)
class Case:
    """An example, and the fake of its vendor.

    :param module: the declarations and classes
    :param prefix: what the names of its classes begin with
    :param api: the module of the fake
    :param row: makes a request of an id
    :param creates: the path of the request that makes a batch
    """

    module: ModuleType
    prefix: str
    api: ModuleType
    row: Callable[[str], dict[str, Any]]
    creates: str

    @property
    def name(self) -> str:
        """The name of its package."""
        return self.module.__name__.partition(".")[0]

    def task(self, kind: str, **parameters: Any) -> Any:
        """Return a task: ``RunBatchOperator``, ``BatchSensor`` or another of its classes."""
        return getattr(self.module, self.prefix + kind)(**{"task_id": "task", **parameters})

    def rows(self, *ids: str) -> list[dict[str, Any]]:
        """Return requests."""
        return [self.row(custom_id) for custom_id in ids]

    @contextmanager
    def serving(self) -> Iterator[Any]:
        """Serve an empty account; nothing pauses."""
        serving: AbstractContextManager[Any] = self.api.serving()
        with serving as account, no_backoff():
            yield account

    def add(self, account: Any, *ids: str) -> str:
        """Add a batch that somebody else submitted, and return its id."""
        rows = self.rows(*(ids or IDS))
        if self.api is anthropic_api:
            return str(account.add(rows)["id"])
        return str(account.add(account.add_file(openai_api.lines_of(rows), "requests.jsonl"))["id"])

    def created(self, account: Any) -> int:
        """Return how many requests that make a batch were sent."""
        return sum(1 for asked in account.server.asked if (asked.method, asked.path) == ("POST", self.creates))


def _openai_row(custom_id: str) -> dict[str, Any]:
    body = {"model": "gpt", "messages": [{"role": "user", "content": "Hello"}]}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}


def _anthropic_row(custom_id: str) -> dict[str, Any]:
    params = {"model": "claude", "max_tokens": 8, "messages": [{"role": "user", "content": "Hello"}]}
    return {"custom_id": custom_id, "params": params}


CASES = {
    "openai": Case(openai_batches, "OpenAI", openai_api, _openai_row, "/v1/batches"),
    "anthropic": Case(anthropic_batches, "Anthropic", anthropic_api, _anthropic_row, "/v1/messages/batches"),
}
