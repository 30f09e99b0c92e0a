"""The channels that rows may name: one row for each entry of the registry, the same for every province."""

from __future__ import annotations

from sqlalchemy import Column, Table

from server.store.metadata import metadata
from server.store.types import String

channels = Table("channels", metadata, Column("code", String(20), primary_key=True))
"""Filled from `server.store.channels` whenever a store is made or upgraded; a code that rows name is never deleted."""
