"""Named secrets of tenants: sealed at rest, versioned, masked, revealed only with a reason."""
