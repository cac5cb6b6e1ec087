"""What people and other programs read: result JSON and pictures."""
