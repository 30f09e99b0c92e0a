"""From releases and sheets to the server: outbox, sender, enrolment, health."""
