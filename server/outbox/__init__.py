"""What this server sends: letters by mail and signed calls of a webhook, kept in the store until they are delivered.

    with write(engine) as connection:
        post(connection, province_id, Letter(Way.MAIL, to="mot.cua@example.vn", subject="...", text="..."))

`outbox`: letters in the store, when each is tried again. `mail`, `webhook`: one try, that ends. `sender`: the tries
that are due. Nobody who posts waits for anybody outside.
"""
