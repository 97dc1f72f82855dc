"""The sweep panel."""
