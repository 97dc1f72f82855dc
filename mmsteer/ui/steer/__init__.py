"""The tab "Steer": the rack of sliders, live frames, the prompt in words, and readings beside the pictures."""
