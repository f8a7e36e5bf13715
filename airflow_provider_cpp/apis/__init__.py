# SPDX-License-Identifier: Apache-2.0
"""The two marketplace APIs, each implemented as flows."""
