"""Who owns data: names, API keys, and how far each tenant's place has been made."""
