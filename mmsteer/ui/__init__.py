"""The page: the only code that imports gradio. Its handlers call `Steerer` and `FeatureBank` and nothing deeper."""
