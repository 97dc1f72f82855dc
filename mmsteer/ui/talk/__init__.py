"""Talk mode: the presets as a tour on the whole screen."""
