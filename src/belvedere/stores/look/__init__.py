"""What the watcher asks a server: one quick question about all databases, and the catalogue of one."""
