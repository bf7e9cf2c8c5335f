"""How S3 verifies certificates: as Airflow's ``S3Hook`` does, whose file system leaves that out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from airflow_batch_provider.stores.retry import DestinationName

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


def honour_verify(fs: AbstractFileSystem, destination: DestinationName) -> None:
    """Let a file system of S3 verify certificates as its connection asks for; any other stays as it is.

    :param fs: the file system, which Airflow keeps for all users of the connection
    :param destination: the destination
    :raises DestinationError: the bundle of certificate authorities is not there, or cannot be used
    """
    if "S3FileSystem" not in {base.__name__ for base in type(fs).__mro__}:
        return
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    # Without a connection the hook would use aws_default, which Airflow's file system does not.
    hook = S3Hook(aws_conn_id=destination.conn_id) if destination.conn_id else None
    verify = hook.verify if hook else None
    bundle = fs.session.get_config_variable("ca_bundle") if verify is None else verify
    if isinstance(bundle, str) and not os.path.exists(bundle):
        # Otherwise the store's library would report each file as missing.
        raise destination.role.error(
            f"There is no bundle of certificate authorities {bundle!r} for {destination}. "
            "Correct verify in the connection's extra (true, false, or a path), or AWS_CA_BUNDLE."
        )
    if verify is None or fs.client_kwargs.get("verify") == verify:
        return
    if hook and hook.service_config.get("signer"):
        raise destination.role.error(
            f"verify in the extra of connection {destination.conn_id!r} does not go with a signer; "
            "set AWS_CA_BUNDLE where workers run instead."
        )
    fs.client_kwargs = {**fs.client_kwargs, "verify": verify}
    fs.connect(refresh=True)
