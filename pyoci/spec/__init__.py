"""config.json as values, and whether it is valid. Pure."""
