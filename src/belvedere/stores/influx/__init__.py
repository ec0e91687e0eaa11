"""InfluxDB 2 as the home of measured values: a bucket for each tenant, named as the tenant, and its two tokens."""
