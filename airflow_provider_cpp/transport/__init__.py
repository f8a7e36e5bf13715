# SPDX-License-Identifier: Apache-2.0
"""HTTP and sign-in: the only package that uses requests, aiohttp and msal. It imports neither Airflow nor an API."""
