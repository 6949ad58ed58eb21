"""Webhooks out: chosen events, signed and posted to an address that headquarters names."""
