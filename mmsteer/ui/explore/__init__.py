"""The tab "Explore": every feature in a list, a histogram and a map, and one of them on a card."""
