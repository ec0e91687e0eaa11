"""The one way to a tenant's objects: as that tenant's reader."""
