"""A campaign's dashboard over an InfluxDB: the same typed model, its panels asked in Flux or in InfluxQL."""
