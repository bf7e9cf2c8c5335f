"""Reads query parameters as FastAPI does, which LlamaCloud shows in its 422 answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from starlette.requests import Request

from airflow_batch_provider.sandbox.world import EPOCH

T = TypeVar("T")


class Query:
    """The query parameters of a request; ``problems`` collects what is wrong with them, in FastAPI's form.

    :param request: whose parameters. Those that the endpoint does not ask for are ignored.
    """

    def __init__(self, request: Request) -> None:
        self._parameters = request.query_params
        self.problems: list[dict[str, Any]] = []

    def text(self, name: str) -> str | None:
        """Give a parameter as it came, or None."""
        return self._parameters.get(name)

    def integer(self, name: str, default: int, low: int, high: int | None = None) -> int:
        """Give a whole number in a range, or the default."""
        if (text := self.text(name)) is None:
            return default
        try:
            value = int(text)
        except ValueError:
            return self.refuse(name, "int_parsing", "Input should be a valid integer", default)
        if value < low:
            return self.refuse(name, "greater_than_equal", f"Input should be at least {low}", default)
        if high is not None and value > high:
            return self.refuse(name, "less_than_equal", f"Input should be at most {high}", default)
        return value

    def choice(self, name: str, allowed: tuple[str, ...]) -> str | None:
        """Give one of some words, or None."""
        text = self.text(name)
        if text is None or text in allowed:
            return text
        return self.refuse(name, "enum", f"Input should be one of {', '.join(map(repr, allowed))}", None)

    def texts(self, name: str) -> list[str]:
        """Return the values of a parameter that may be repeated."""
        return self._parameters.getlist(name)

    def choices(self, name: str, allowed: tuple[str, ...]) -> set[str]:
        """Return those of some words that a repeated parameter has."""
        found = set(self.texts(name))
        if found <= set(allowed):
            return found
        return self.refuse(name, "enum", f"Input should be one of {', '.join(map(repr, allowed))}", found)

    def flag(self, name: str) -> bool:
        """Return a yes or no, false by default."""
        return self.choice(name, ("true", "false", "True", "False", "1", "0")) in ("true", "True", "1")

    def milliseconds(self, name: str, default: float) -> float:
        """Give a time as Unix milliseconds, or the default; a time without offset is taken as UTC."""
        if (text := self.text(name)) is None:
            return default
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return self.refuse(name, "datetime_parsing", "Input should be a valid datetime", default)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (aware - EPOCH) / timedelta(milliseconds=1)

    def refuse(self, name: str, kind: str, message: str, instead: T) -> T:
        """Note what is wrong with a parameter; gives ``instead``."""
        self.problems.append({"type": kind, "loc": ["query", name], "msg": message, "input": self.text(name)})
        return instead
