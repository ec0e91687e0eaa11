"""The query gateway: a shared Grafana asks here, and gets the rows of the asking person's own tenant only."""
