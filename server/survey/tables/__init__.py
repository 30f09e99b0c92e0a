"""Tables of the survey on the server's one metadata. `server.store.schema` imports them all."""

from server.survey.tables import comments, contacts, feedback, gateways, imports, paper, plans, rounds

__all__ = ["comments", "contacts", "feedback", "gateways", "imports", "paper", "plans", "rounds"]
