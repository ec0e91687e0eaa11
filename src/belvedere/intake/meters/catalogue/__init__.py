"""The formats that are built in, one TOML file each; see `meters/formats.py`."""
