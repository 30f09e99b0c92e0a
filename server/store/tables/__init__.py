"""Tables, one noun a file. `server.store.schema` imports them all."""
