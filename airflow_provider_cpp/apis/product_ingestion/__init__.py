# SPDX-License-Identifier: Apache-2.0
"""The Product Ingestion API: statuses, models, endpoints and flows. Uses only the standard library, without I/O."""
