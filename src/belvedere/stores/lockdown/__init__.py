"""What a superuser does once per server, so that a tenant's database tells nothing about other tenants."""
