"""Who may do what: passwords, logins, machine tokens. See docs/service-security.md."""
