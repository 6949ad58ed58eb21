"""Plans, the gate, the ledger, batches, lift."""
