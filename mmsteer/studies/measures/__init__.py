"""What studies are made of: prompts with known factors, methods to compare, metrics and their intervals."""
