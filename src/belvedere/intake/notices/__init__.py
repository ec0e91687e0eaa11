"""Notices of doors about tenants' folders, and what is wrong with places in them."""
