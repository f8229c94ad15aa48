"""Verified sessions at run time: a claim comes in, the kernel holds it as timed elements, and it ends."""
