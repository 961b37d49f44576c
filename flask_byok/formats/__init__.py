"""The format an answer shall have: a JSON schema, a dataclass or a pydantic model."""
