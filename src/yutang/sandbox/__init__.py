"""A WeCom that behaves like the real one, with its own durable file, and a population that taps, receives and buys.

Stands beside the house: it imports only `kernel`, and the pond meets it only over HTTP.
"""
