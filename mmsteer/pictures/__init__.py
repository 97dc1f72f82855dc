"""What is read in pictures: their features by modality, and their CLIP similarity to a prompt and to features."""
