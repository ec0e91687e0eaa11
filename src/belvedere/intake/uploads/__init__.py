"""Uploads as people see them: listed, looked at, tried again."""
