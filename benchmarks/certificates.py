# SPDX-License-Identifier: Apache-2.0
"""A certificate for the stub, and a CA bundle of realistic length that includes its CA."""

from __future__ import annotations

from pathlib import Path

import trustme
from requests.utils import DEFAULT_CA_BUNDLE_PATH


def create(folder: Path) -> tuple[Path, Path]:
    """Write both files, and return the server's certificate with its key, and the CA bundle."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    certificate, bundle = folder / "server.pem", folder / "bundle.pem"
    issued.private_key_and_cert_chain_pem.write_to_path(str(certificate))
    bundle.write_bytes(Path(DEFAULT_CA_BUNDLE_PATH).read_bytes() + b"\n" + authority.cert_pem.bytes())
    return certificate, bundle
