"""The audits of a privacy officer. Each is a command with a plain verdict and exit code 0 only where the claim
holds."""
