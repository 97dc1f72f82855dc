"""How the world's models are trained: stages, one loop, scenes and conditions, checkpoints."""
