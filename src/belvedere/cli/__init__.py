"""The command line: one file a noun, `main.py` for the grammar, `output.py` for how answers look."""
