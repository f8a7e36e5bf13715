# SPDX-License-Identifier: Apache-2.0
"""The trigger that waits for a publication."""
