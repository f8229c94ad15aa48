"""Ends of flows: terms become sets of addresses, subjects and gateways."""
