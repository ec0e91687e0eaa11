"""The REST door: `/api/v1`. One table of routes; each handler parses, makes one service call and renders.

Flask lives in `blueprint.py`, `caller.py` and `problems.py`; handlers see a `Call` and return an `Answer`.
"""
