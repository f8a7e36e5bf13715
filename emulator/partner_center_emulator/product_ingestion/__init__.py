# SPDX-License-Identifier: Apache-2.0
"""The Product Ingestion API, which serves the same offers as the CPP API.

An offer is a product whose external ID is the offer ID, and a publication is a submission. A publication that was started
through one API is visible through both, and blocks other publications through both.
"""
