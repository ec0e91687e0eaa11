"""What differs between tenants' workspaces and what they should be: kept from the last look, so that pages are quick.

What is not here: finding it (a workspace's own plan) and repairing it (`workspaces/service.py`).
"""
