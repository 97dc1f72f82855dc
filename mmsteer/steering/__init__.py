"""One call, in this order: presence, edits, suppression, what the denoiser reads and when, sampling. `Steerer` tells the story."""
