"""What people say of results: recorded, exported as labels, counted, watched. See docs/service-feedback.md."""
