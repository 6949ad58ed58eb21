"""The quota of acquisition links (获客链接), and what the platform told of the links: kept for whoever makes them."""
