"""What a host has and lacks for what segc does to it."""
