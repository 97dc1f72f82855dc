"""Off line: how a bank is made. pairs -> embed -> train -> match -> score -> label -> a bank folder."""
