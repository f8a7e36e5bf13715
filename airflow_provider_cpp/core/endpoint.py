# SPDX-License-Identifier: Apache-2.0
"""Where an API is, unless a connection says otherwise."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an API is, unless a connection says otherwise.

    :param base_url: scheme, host and, where it has one, the path that all of its paths are below.
    :param scope: what a token for it is for.
    :param version: the version of it that is asked for.
    """

    base_url: str
    scope: str
    version: str
