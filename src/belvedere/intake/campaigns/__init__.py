"""Campaigns: the folders in a tenant's folder, and what is made for each."""
