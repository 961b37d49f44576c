"""Shows: the settings page, the JSON API and the banner."""
