"""Agencies, counters, fields, services: what a province consists of."""
