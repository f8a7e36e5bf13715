# SPDX-License-Identifier: Apache-2.0
"""TLS contexts with the trusted certificate authorities, for both drivers and for sign-in."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path

from airflow_provider_cpp.core.redaction import sanitize_line
from airflow_provider_cpp.exceptions import CABundleError
from airflow_provider_cpp.transport.deadline import BoundedTLSSocket


def ssl_context_for(bundle: str) -> ssl.SSLContext:
    """Return a TLS context that trusts a CA bundle, and checks certificates and host names.

    The context is shared: do not change it.

    :param bundle: the path of a file, or of a folder prepared with OpenSSL's ``c_rehash``.
    :raises CABundleError: if the bundle is missing, empty or cannot be read now.
    """
    path = Path(bundle)
    try:
        stat = path.stat()
        is_folder = path.is_dir()
        if (next(path.iterdir(), None) is None) if is_folder else (stat.st_size == 0):
            problem = "is empty"
        else:
            return _load_context(path, is_folder=is_folder, version=(stat.st_ino, stat.st_size, stat.st_mtime_ns))
    except (FileNotFoundError, NotADirectoryError):
        problem = "does not exist"
    except ssl.SSLError as error:
        reason = (error.reason or "no reason given").lower().replace("_", " ")
        problem = f"contains no readable certificate ({reason})"
    except (OSError, ValueError) as error:
        problem = f"cannot be read ({getattr(error, 'strerror', None) or error})"
    raise CABundleError(sanitize_line(str(path)), problem)


@lru_cache(maxsize=8)
def _load_context(bundle: Path, *, is_folder: bool, version: tuple[int, ...]) -> ssl.SSLContext:  # noqa: ARG001 - part of the key
    """Load a CA bundle, which takes longer than ten polls; ``version`` makes the cache reload a replaced file."""
    context = ssl.create_default_context(cafile=None if is_folder else bundle, capath=bundle if is_folder else None)
    context.hostname_checks_common_name = False  # the same as urllib3
    context.set_alpn_protocols(["http/1.1"])
    context.sslsocket_class = BoundedTLSSocket
    return context
