"""The pictures of a visit: compared with each other, and kept as favourites. A panel of the tab "Steer"."""
