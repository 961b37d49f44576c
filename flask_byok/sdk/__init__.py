"""The official SDKs on the engine: each request of theirs takes our routes."""
