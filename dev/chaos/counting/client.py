"""Opens accounts at the vendors that count, in a process of their own, and asks them what they counted."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from dev.chaos.counting.faults import Fault
from dev.processes import read_line, running_module

_OPENER = build_opener(ProxyHandler({}))
_SECONDS = 60


class Opened:
    """An account, from outside.

    :param url: where the vendors answer
    :param vendor: which one it is
    :param key: its API key
    """

    def __init__(self, url: str, vendor: str, key: str) -> None:
        self.url = url
        self.vendor = vendor
        self.key = key

    def connection(self, **extra: Any) -> dict[str, str]:
        """Return the environment variable that makes it the default connection.

        :param extra: extras of the connection
        """
        facts = {"conn_type": self.vendor, "host": self.url, "password": self.key, "extra": extra}
        return {f"AIRFLOW_CONN_{self.vendor.upper()}_DEFAULT": json.dumps(facts)}

    def counts(self) -> dict[str, Any]:
        """Return what it counted."""
        counted: dict[str, Any] = self._ask("counts")
        return counted

    def log(self) -> list[dict[str, Any]]:
        """Return its requests and marks, in order."""
        entries: list[dict[str, Any]] = self._ask("log")
        return entries

    def advance(self, seconds: float) -> float:
        """Let time pass for it, and return what it is then, in seconds since 1970."""
        return float(self._ask("advance", {}, seconds=seconds)["now"])

    def turn(self, **knobs: Any) -> None:
        """Turn some of its knobs."""
        self._ask("knobs", _plain(knobs))

    def mark(self, text: str) -> None:
        """Put a text into its log."""
        self._ask("mark", {}, text=text)

    def _ask(self, what: str, body: Any = None, **query: Any) -> Any:
        return _ask(f"{self.url}/{what}?{urlencode({'key': self.key, **query})}", body)


class Counting:
    """The vendors that count.

    :param url: where they answer
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def open(self, vendor: str, **knobs: Any) -> Opened:
        """Open an account.

        :param vendor: at which vendor
        :param knobs: how it behaves
        """
        return Opened(self.url, vendor, _ask(f"{self.url}/accounts", {"vendor": vendor, "knobs": _plain(knobs)})["key"])


@contextlib.contextmanager
def counting_vendors() -> Iterator[Counting]:
    """Run the vendors that count."""
    with running_module("dev.chaos.counting") as process:
        yield Counting(read_line(process))


def _plain(knobs: Mapping[str, Any]) -> dict[str, Any]:
    faults = [asdict(one) if isinstance(one, Fault) else one for one in knobs.get("faults", ())]
    return {**knobs, **({"faults": faults} if "faults" in knobs else {})}


def _ask(url: str, body: Any) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, {"Content-Type": "application/json"})  # noqa: S310 - the process above
    with _OPENER.open(request, timeout=_SECONDS) as answer:
        return json.load(answer)
