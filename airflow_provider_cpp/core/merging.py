# SPDX-License-Identifier: Apache-2.0
"""JSON merge patches, `RFC 7396 <https://www.rfc-editor.org/rfc/rfc7396>`_."""

from __future__ import annotations

import copy
from typing import Any

from airflow_provider_cpp.defaults import Change


def merge_patch(patch: dict[str, Any]) -> Change:
    """Make a change of a JSON merge patch (RFC 7396): null takes a key out, a list replaces a list."""
    return lambda document: _merged(document, patch)


def _merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result
