"""Messages about dashboards: each channel of a tenant hears of each once, and every delivery says how it stands."""
