# SPDX-License-Identifier: Apache-2.0
"""How a connection gets its tokens."""
