"""A tenant's SFTP users on an SFTPGo of the installation's own: made, kept in step, and removed with the tenant."""
