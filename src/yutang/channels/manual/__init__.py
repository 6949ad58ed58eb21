"""A channel without any platform: a list of people whom one member of staff speaks to by hand, and writes down."""
