"""Grafana as tenants' workspace: what should be there, what is there, and the steps between.

`api.py` is the one module that speaks HTTP. `plan.py` and `document.py` are pure. What is not here: what a dashboard
shows (`dashboards/`), pictures of it (`previews/`).
"""
