"""What a place is to a task: its errors name the parameter, and are of the class that goes with it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from airflow_batch_provider.exceptions import DestinationError, FatalError, InvalidParameterError


@dataclass(frozen=True)
class Role:
    """What a place is to a task.

    :param name: the parameter that names it
    :param error: the class of what is raised if it cannot be used
    :param thing: what it is
    :param rights: what the connection must be allowed to do there
    """

    name: str
    error: type[FatalError]
    thing: str
    rights: str

    def __str__(self) -> str:
        return self.name


DESTINATION = Role("destination", DestinationError, "folder", "list, read, write and delete")
EXPORTS = replace(DESTINATION, name="exports")
"""The folder below which exports have folders of their own."""


def source_role(name: str) -> Role:
    """Return the role of a file, or a folder of files, that is only read.

    :param name: the parameter that names it
    """
    return Role(name, InvalidParameterError, "file", "list and read")
