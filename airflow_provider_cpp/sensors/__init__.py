# SPDX-License-Identifier: Apache-2.0
"""The sensor that waits for a publication."""
