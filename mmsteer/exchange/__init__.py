"""Other people's dictionaries in, ours out; banks to and from the Hugging Face hub."""
