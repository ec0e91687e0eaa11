"""Belvedere: a self-service control plane for the tenants of a shared Grafana.

The package is a modular monolith; `docs/explanation/architecture.md` draws its rooms and the one
direction in which data goes through them. This module holds the version and nothing else.
"""

__version__ = "0.1.0"
