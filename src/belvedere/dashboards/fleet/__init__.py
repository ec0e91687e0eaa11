"""The fleet of uploads, for operators: what came of all tenants' files, as a page and as a dashboard in Grafana."""
