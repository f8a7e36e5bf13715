# SPDX-License-Identifier: Apache-2.0
"""Hooks: from an Airflow connection to the portal."""
