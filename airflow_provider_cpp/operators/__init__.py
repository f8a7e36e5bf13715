# SPDX-License-Identifier: Apache-2.0
"""Operators: the tasks that order something."""
