"""The sample tenant: tables that look like a real flow over weeks, written over plain SQL as its own writer."""
