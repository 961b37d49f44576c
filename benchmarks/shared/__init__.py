"""What several benchmarks stand on: the provider that they ask, and taking turns."""
