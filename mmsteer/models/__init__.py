"""What is loaded: backbones and their families, CLIP, prompts, the joint space, sparse autoencoders. Knows nothing of features."""
