"""Gateways: their devices, which zones sit on them, their addresses, and the flows that they imply."""
