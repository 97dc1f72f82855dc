"""A picture of the visitor's own, to be edited: in the tab "Steer", below the rack."""
