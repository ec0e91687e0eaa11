"""Reports of chip tools and anything tabular: from a file to rows of a table in one of the tenant's own databases.

What is not here: making the tables (`stores/tables/`), and what is drawn of them (`dashboards/`).
"""
