"""Statistics: what the implicit signal says about satisfaction, how certain it is, and where it says nothing.

Pure: arrays and records in, results out. No sockets, files, clocks or databases; randomness only from a given seed.
Start at `calibration.analysis.analyze`; formulas and measured figures stand in `docs/statistics.md`.
"""
