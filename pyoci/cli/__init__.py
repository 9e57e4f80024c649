"""The command line: words in, an engine call, text and an exit status out."""
