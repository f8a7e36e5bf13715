# SPDX-License-Identifier: Apache-2.0
"""The CPP API: statuses, models, endpoints, flows. Standard library only, no I/O."""
