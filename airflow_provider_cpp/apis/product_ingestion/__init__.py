# SPDX-License-Identifier: Apache-2.0
"""The Product Ingestion API: statuses, models, endpoints, flows. Standard library only, no I/O."""
