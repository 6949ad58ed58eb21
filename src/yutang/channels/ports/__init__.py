"""The ports of families of calls beside the mass send; what they share stands in `channels.contracts`."""
