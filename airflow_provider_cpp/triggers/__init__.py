# SPDX-License-Identifier: Apache-2.0
"""Triggers: the waits in the triggerer."""
