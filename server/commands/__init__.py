"""Commands of the server, thin: arguments in, sentences out."""
