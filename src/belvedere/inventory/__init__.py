"""What a tenant has, as one list: place, folder, data sources, campaigns, dashboards, members.

What is not here: any of these things themselves; their rooms are asked.
"""
