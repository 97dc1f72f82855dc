"""What is said of the prompt in the tab "Steer": words that the model does not know, and the features it contains."""
