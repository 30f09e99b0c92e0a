"""What may leave a box, and when: policy, periods, noise, ledger, the desk that releases."""
