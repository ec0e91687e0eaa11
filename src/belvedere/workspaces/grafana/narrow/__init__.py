"""Looks at a part of a tenant's place: at what changed on our side since it was applied completely."""
