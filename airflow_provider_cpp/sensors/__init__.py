# SPDX-License-Identifier: Apache-2.0
"""Sensors: the tasks that wait."""
