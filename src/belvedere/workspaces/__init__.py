"""Where tenants look: one port, the built-in viewer as its first implementation, and what both can show.

What a dashboard should show is decided in `dashboards/`; here it is only published and drawn.
"""
