"""What several tabs of the page use: the page's state, payload checks, badges, notices, data URLs, scripts."""
