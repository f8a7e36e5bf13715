# SPDX-License-Identifier: Apache-2.0
"""The rules of the Product Ingestion API: statuses, models, calls, flows. Standard library only, no I/O."""
