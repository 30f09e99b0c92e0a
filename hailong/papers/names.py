"""The names that `--form` takes, without what makes the papers."""

NAMES = ("dpia10", "ai-classification", "ai02", "ai01a", "breach08", "system-card", "yearly", "iso27559")
