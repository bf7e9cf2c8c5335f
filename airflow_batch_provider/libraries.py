"""The libraries that an extra of this package installs; a missing one is reported before any work begins."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

import msgspec

from airflow_batch_provider.exceptions import InvalidParameterError


@cache
def is_installed(module: str) -> bool:
    """Return whether a library is installed. It is looked up once in a process, because that takes a millisecond."""
    return find_spec(module) is not None


class Library(msgspec.Struct, frozen=True):
    """A library that is not installed with the package.

    :param module: what is imported
    :param extra: the extra that installs it
    """

    module: str
    extra: str

    def require(self, value: str) -> None:
        """Check that the library is installed, without importing it.

        :param value: the parameter's value that needs it, for the message
        :raises InvalidParameterError: it is not installed; says how to install it
        """
        if not is_installed(self.module):
            raise InvalidParameterError(
                f"{value} needs {self.module}; install it with: pip install 'airflow-batch-provider[{self.extra}]'"
            )
