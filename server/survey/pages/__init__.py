"""Pages and HTTP interfaces of the survey; `server.app` includes every module's `router`."""
