"""Accounts: log-in, users, settings of a province, as pages. The rules are in `server.auth`."""
