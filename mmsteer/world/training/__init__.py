"""How the world's models are trained: the stages and the loop, scenes and conditions, checkpoints. Tasks are in `tasks/`."""
