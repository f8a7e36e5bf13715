# SPDX-License-Identifier: Apache-2.0
"""The two marketplace APIs, each as flows of requests and decisions."""
