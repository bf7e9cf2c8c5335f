"""Reads docker-compose.yaml for a machine without a container engine.

Programs, arguments, environment, health checks and order are the file's. Only locations differ: ports are free ones of
127.0.0.1, and folders are below one of the run's own.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dev.paths import ROOT

FILE = ROOT / "docker-compose.yaml"

ENTRYPOINTS = {"airflow-batch-provider": ("airflow",), "postgres": (), "redis": (), "chrislusf/seaweedfs": ()}
"""What the images put before a command, by their names: the programs that a machine must have."""

_VARIABLE = re.compile(r"\$\{(\w+):\?[^}]*\}")


class ComposeError(Exception):
    """The file says something that cannot be run here."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service as it is run here.

    :param name: its name in the file
    :param image: the image that it would run in, without tag
    :param command: program and arguments
    :param environment: variables
    :param health: the command whose exit code shows whether the service is healthy; None if there is none
    :param depends_on: conditions of other services before it starts: their names, and ``service_healthy`` or
        ``service_completed_successfully``
    :param ports: what stands for its own ports here
    :param folders: its volumes here
    """

    name: str
    image: str
    command: Sequence[str]
    environment: Mapping[str, str]
    health: Sequence[str] | None
    depends_on: Mapping[str, str]
    ports: Mapping[str, int]
    folders: Sequence[Path]

    @property
    def ends(self) -> bool:
        """Whether it is done when its command is, so that others wait for its end."""
        return self.health is None

    @property
    def checks_slowly(self) -> bool:
        """Whether a health check takes seconds of a core."""
        return self.health is not None and self.health[0] == "celery"


def read(settings: Mapping[str, str], file: Path = FILE) -> Any:
    """Return what the file says, with its variables replaced.

    :param settings: the variables
    """
    return _replace_variables(yaml.safe_load(file.read_text()), settings)


def _replace_variables(value: Any, settings: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _replace_variables(each, settings) for key, each in value.items()}
    if isinstance(value, list):
        return [_replace_variables(each, settings) for each in value]
    if not isinstance(value, str):
        return value

    def replacement(match: re.Match[str]) -> str:
        if not settings.get(match[1]):
            raise ComposeError(f"{match[1]} is not set: docker-compose.yaml refuses to start without it")
        return settings[match[1]]

    return _VARIABLE.sub(replacement, value)


def ports(document: Any) -> dict[str, list[str]]:
    """Return the ports that each service listens on."""
    return {name: [str(port) for port in service.get("expose", [])] for name, service in document["services"].items()}


def services(document: Any, free: Mapping[str, Mapping[str, int]], folder: Path) -> dict[str, Service]:
    """Return the services as they are run here.

    :param document: what the file says
    :param free: a free port of 127.0.0.1 for each port of each service
    :param folder: what named volumes lie below
    """
    return {name: _service(name, spec, free, folder) for name, spec in document["services"].items()}


def _service(name: str, spec: Mapping[str, Any], free: Mapping[str, Mapping[str, int]], folder: Path) -> Service:
    image = spec["image"].rpartition(":")[0]
    if image not in ENTRYPOINTS:
        raise ComposeError(f"{name}: no program is known that stands for the image {image}")
    volumes = dict(_volume(volume, folder) for volume in spec.get("volumes", []))
    here = _Here(name, free, volumes)
    entrypoint = _words(spec["entrypoint"]) if "entrypoint" in spec else ENTRYPOINTS[image]
    command = [*entrypoint, *_words(spec.get("command", []))]
    test = spec.get("healthcheck", {}).get("test")
    return Service(
        name=name,
        image=image,
        command=[here.text(word) for word in command],
        environment={key: here.text(str(value)) for key, value in spec.get("environment", {}).items()},
        health=[here.text(word) for word in _check(name, test)] if test else None,
        depends_on={other: how["condition"] for other, how in spec.get("depends_on", {}).items()},
        ports=free[name],
        folders=list(volumes.values()),
    )


def _words(spec: str | Sequence[str]) -> Sequence[str]:
    return shlex.split(spec) if isinstance(spec, str) else spec


def _check(name: str, test: str | Sequence[str]) -> Sequence[str]:
    if isinstance(test, list) and test[0] == "CMD":
        return test[1:]
    raise ComposeError(f"{name}: a health check is a list that begins with CMD, not {test!r}")


def _volume(volume: str, folder: Path) -> tuple[str, Path]:
    source, target = volume.split(":")[:2]
    return target, (ROOT / source) if source.startswith(".") else folder / source


class _Here:
    """Rewrites texts of a service from how things are called in a container to where they are here."""

    def __init__(self, name: str, free: Mapping[str, Mapping[str, int]], volumes: Mapping[str, Path]) -> None:
        self._name = name
        self._free = free
        self._volumes = volumes
        names = "|".join(map(re.escape, free))
        self._address = re.compile(rf"(?<![\w.-])(?:(?P<service>{names}):)?(?P<port>\d{{4,5}})(?![\w.-])")

    def text(self, text: str) -> str:
        text = self._address.sub(self._port, text).replace("0.0.0.0", "127.0.0.1")  # noqa: S104
        for target, path in self._volumes.items():
            text = re.sub(rf"(?<![\w./-]){re.escape(target)}(?![\w.-])", str(path), text)
        # An argument such as -ip=seaweedfs is the address by which the others are to call it.
        return text.removesuffix(self._name) + "127.0.0.1" if text.endswith(f"={self._name}") else text

    def _port(self, match: re.Match[str]) -> str:
        service, port = match["service"], match["port"]
        if service is None:
            return str(self._free[self._name].get(port, port))
        if port not in self._free[service]:
            raise ComposeError(f"{self._name} calls {service}:{port}, which {service} does not expose")
        return f"127.0.0.1:{self._free[service][port]}"
