# SPDX-License-Identifier: Apache-2.0
"""Which certificate authorities are trusted: the same ones by both drivers and by sign-in."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from airflow_provider_cpp.core.redaction import sanitize_line
from airflow_provider_cpp.exceptions import CABundleError
from airflow_provider_cpp.transport.deadline import BoundedTLSSocket


def ssl_context_for(bundle: str | None) -> ssl.SSLContext:
    """Return a context that trusts a bundle's authorities, and checks certificates and host names.

    The context is shared, and must not be changed.

    :param bundle: the path of a file, or of a folder as OpenSSL's ``c_rehash`` makes it; None for the list that comes with requests.
    :raises CABundleError: if the bundle is missing, empty or cannot be read now.
    """
    path = Path(bundle or DEFAULT_CA_BUNDLE_PATH)
    try:
        found = path.stat()
        is_folder = path.is_dir()
        if (next(path.iterdir(), None) is None) if is_folder else (found.st_size == 0):
            problem = "is empty"
        else:
            return _trusting(path, is_folder=is_folder, version=(found.st_ino, found.st_size, found.st_mtime_ns))
    except (FileNotFoundError, NotADirectoryError):
        problem = "does not exist"
    except ssl.SSLError as error:
        reason = (error.reason or "no reason given").lower().replace("_", " ")
        problem = f"holds no certificate that can be read ({reason})"
    except (OSError, ValueError) as error:
        problem = f"cannot be read ({getattr(error, 'strerror', None) or error})"
    raise CABundleError(sanitize_line(str(path)), problem)


@lru_cache(maxsize=8)
def _trusting(bundle: Path, *, is_folder: bool, version: tuple[int, ...]) -> ssl.SSLContext:  # noqa: ARG001 - part of the key
    """Read authorities, which takes longer than ten polls; again if the file is another one by now."""
    context = ssl.create_default_context(cafile=None if is_folder else bundle, capath=bundle if is_folder else None)
    context.hostname_checks_common_name = False  # as urllib3 has it
    context.set_alpn_protocols(["http/1.1"])
    context.sslsocket_class = BoundedTLSSocket
    return context
