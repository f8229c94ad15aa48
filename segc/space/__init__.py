"""Pure set algebra: addresses, services, and the partition of addresses into endpoint classes."""
