"""What several rooms of tests share: database servers, a browser, a running app."""
