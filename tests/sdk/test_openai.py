"""The official ``openai`` package, its public surface on our routes."""
