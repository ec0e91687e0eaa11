"""The built-in viewer: the workspace that needs nothing. It runs panels' queries as the tenant's reader."""
