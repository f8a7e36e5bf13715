# SPDX-License-Identifier: Apache-2.0
"""The operators that change, publish or cancel an offer."""
