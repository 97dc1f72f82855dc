"""The static edition: a folder of pictures drawn ahead and a page that shows them, for a browser alone."""
