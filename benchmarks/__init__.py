"""Benchmarks: `hailong bench NAME`. Versioned JSON; ratios within one run, never times across machines."""
