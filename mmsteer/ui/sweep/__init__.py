"""The sweep panel below the rack, in the tab "Steer"."""
