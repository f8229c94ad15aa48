"""Translation validation: the compiled ruleset is read back and proved to say what the policy says."""
