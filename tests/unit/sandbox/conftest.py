"""A sandbox on a real socket whose time stands still unless a test moves it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from airflow_batch_provider.sandbox import Sandbox, Settings, serve

STARTED = 1_700_000_000.25


@dataclass
class Caller:
    """Sends requests to a sandbox with the right key."""

    sandbox: Sandbox
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.trust_env = False  # no proxy, no .netrc of whoever runs the tests
        how_to = self.sandbox.how_to
        self.organization_id = how_to["talkifai"]["organization_id"]
        self.project = f"v1/projects/{how_to['playment']['project_id']}"
        self.batch = f"{self.project}/batch/{how_to['playment']['batch_id']}"
        self.headers = {
            "playment": {"x-api-key": how_to["playment"]["api_key"]},
            "llamacloud": {"Authorization": f"Bearer {how_to['llamacloud']['api_key']}"},
            "talkifai": {"Authorization": f"Bearer {how_to['talkifai']['api_key']}"},
        }

    def get(
        self, vendor: str, path: str, headers: dict[str, str] | None = None, **parameters: Any
    ) -> requests.Response:
        """Get a path with a vendor's key, or with other headers."""
        sent = self.headers[vendor] if headers is None else headers
        return self.session.get(f"{self.sandbox.url}/{path}", params=parameters, headers=sent)

    def send(self, method: str, vendor: str, path: str, **sent: Any) -> requests.Response:
        """Send a request that writes, with a vendor's key; what is sent is as ``requests`` takes it."""
        return self.session.request(method, f"{self.sandbox.url}/{path}", headers=self.headers[vendor], **sent)

    def written(self, vendor: str, path: str, method: str = "POST", **sent: Any) -> Any:
        """Send a request that writes and must succeed; gives the body of the answer."""
        response = self.send(method, vendor, path, **sent)
        assert response.status_code in (200, 201), response.text
        return response.json()

    def data(self, vendor: str, path: str, **parameters: Any) -> Any:
        """Get the body of a path that must answer 200."""
        response = self.get(vendor, path, **parameters)
        assert response.status_code == 200, response.text
        return response.json()


@dataclass
class Clock:
    """Unix seconds, moved by hand."""

    now: float = STARTED

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="session")
def caller() -> Iterator[Caller]:
    """A sandbox of 250 rows at its first moment; for tests that only read."""
    with serve(Settings(jobs=250, duration=100), Clock()) as sandbox, requests.Session() as session:
        yield Caller(sandbox, session)


@pytest.fixture
def start() -> Iterator[Callable[..., Caller]]:
    """Start a sandbox with settings, and a clock if given; it ends with the test."""
    with ExitStack() as stack:

        def started(clock: Callable[[], float] | None = None, **settings: Any) -> Caller:
            sandbox = stack.enter_context(serve(Settings(**settings), clock or Clock()))
            return Caller(sandbox, stack.enter_context(requests.Session()))

        yield started


@pytest.fixture
def clock() -> Clock:
    """A clock that the test moves."""
    return Clock()
