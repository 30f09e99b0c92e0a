"""Tables, migrations and connections of the server's store."""
