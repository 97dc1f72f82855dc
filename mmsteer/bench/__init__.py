"""How long things take: pictures, the page, embedding, training beside other packages."""
