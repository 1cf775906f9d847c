"""Who asks: users, sessions, tokens, proxies; and the audit log of what they did."""
