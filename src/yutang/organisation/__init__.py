"""Who and where: the tree of regions and stores, staff and the accounts they speak from, users, roles, audit."""
