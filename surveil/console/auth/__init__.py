"""Authentication: users, sessions, tokens, proxies; and the audit log of their actions."""
