"""Files that come over HTTP: sent part by part, gone on with after a break, put in their place whole."""
