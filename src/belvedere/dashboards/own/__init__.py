"""Templates that people brought from Grafana: their rows. What is done with them is in `../templates.py`."""
