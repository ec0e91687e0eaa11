"""Files in over SSH: a tenant's SFTP users, and the server that they find.

What is not here: the same users on an SFTPGo (`intake/sftpgo/`), and what becomes of a file (`intake/`).
"""
