"""Floor 0: what people write. YAML files whose parts know their place, and kinds of values with their sentences."""
