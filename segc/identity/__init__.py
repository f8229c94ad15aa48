"""Who people are and who vouches for them. Plain data: no kernel, no policy."""
