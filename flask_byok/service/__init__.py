"""What the page, the JSON API and the command line call."""
