"""What may leave a box, and when: policy, periods, noise, ledger, the curator that releases."""
