# SPDX-License-Identifier: Apache-2.0
"""Hooks: access to the APIs with an Airflow connection."""
