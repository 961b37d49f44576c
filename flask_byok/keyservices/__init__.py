"""The room that knows key services by name: AWS KMS and HashiCorp Vault."""
