"""How a request proves who sends it, as a value."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping

import msgspec

from airflow_batch_provider.apis.request import Request


class Credentials(msgspec.Struct, frozen=True):
    """Login and password of a connection; neither is shown.

    :param secret: the password, which is the API key
    :param login: the login, if the vendor needs one
    """

    secret: str
    login: str = ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


Auth = Callable[[Request, Credentials, bool], Mapping[str, str]]
"""Returns the headers that authenticate a request.

Any function will do: it is called for each request, and once more, with true as the last argument, if the vendor
answered 401, so that it can renew a token. This serves tokens that expire, and signed requests.
"""


class KeyHeader(msgspec.Struct, frozen=True):
    """The API key in a header.

    :param header: the header
    :param prefix: the text before the key in it
    """

    header: str
    prefix: str = ""

    def __call__(self, request: Request, credentials: Credentials, renew: bool) -> Mapping[str, str]:
        return {self.header: self.prefix + credentials.secret}


class Basic(msgspec.Struct, frozen=True):
    """Login and password of the connection, by HTTP's Basic scheme."""

    def __call__(self, request: Request, credentials: Credentials, renew: bool) -> Mapping[str, str]:
        pair = f"{credentials.login}:{credentials.secret}".encode()
        return {"Authorization": f"Basic {b64encode(pair).decode()}"}


def is_static(auth: Auth) -> bool:
    """Return whether the headers are the same for every request, so that they need to be made only once."""
    return isinstance(auth, (KeyHeader, Basic))
