"""Files in: taken from every door, recognised, read, stored, kept and reported.

What is not here: where points and tables are stored (`stores/`), and what is drawn of them (`dashboards/`).
"""
