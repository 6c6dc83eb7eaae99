"""What the API costs whoever transfers through the same finproxy."""
