"""Moving pictures of dashboards: taken with a guarded browser, encoded beside it, served to whoever may see them."""
