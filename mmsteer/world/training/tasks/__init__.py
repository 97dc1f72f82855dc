"""What each model of the world is trained on: one task a file, all taken by the loop in `mmsteer.world.training.loop`."""
