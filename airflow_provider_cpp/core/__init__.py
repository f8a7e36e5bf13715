# SPDX-License-Identifier: Apache-2.0
"""The code that both APIs share, and the protocol that each implements. Uses only the standard library, without I/O."""
