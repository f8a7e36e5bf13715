# SPDX-License-Identifier: Apache-2.0
"""The Product Ingestion API, served from the same offers as the CPP API.

An offer is a product whose external id is the offer's id, and a publication is a submission. A publication that starts
through one API is visible through both, and blocks other publications through both.
"""
