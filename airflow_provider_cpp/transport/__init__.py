# SPDX-License-Identifier: Apache-2.0
"""The wire: the only place for requests, aiohttp and msal. It knows the rules, and nothing of Airflow."""
