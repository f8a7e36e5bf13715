# SPDX-License-Identifier: Apache-2.0
"""Operators: the tasks that change, publish or cancel an offer."""
