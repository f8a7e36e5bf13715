# SPDX-License-Identifier: Apache-2.0
"""The hooks, which send requests to the APIs with an Airflow connection."""
