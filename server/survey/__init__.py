"""The survey: channels by which answers come, sampling, the official index and its reports."""
