"""The world's models: CLIP, autoencoder, UNet, image adapter, judge, and the folders they are put together in."""
