"""Where tenants' data live: databases and logins of their own, closed to each other, watched for new tables."""
