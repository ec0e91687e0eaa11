"""Meter files: recognised by format files, read column by column in bounded memory, written as line protocol.

Nothing here opens a file, asks the time or talks to a server: streams, places and formats are given. Start at
`parse.open_file`. What is not here: which files are taken and where they go afterwards (`intake/`), and the stores.
"""
