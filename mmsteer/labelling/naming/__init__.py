"""Names of features, each with a held-out score: from known factors, from words of captions, from measured properties of pictures."""
