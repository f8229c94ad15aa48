"""What would change: between two policies as sets of packets, and between artifacts item by item."""
