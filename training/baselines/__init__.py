"""What a user would try before a recurrent network: every result is held against it."""
