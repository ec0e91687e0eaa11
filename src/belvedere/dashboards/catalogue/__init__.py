"""The families of tables, one file each: how it is recognised and how it looks. `dashboards/template.py` reads them."""
