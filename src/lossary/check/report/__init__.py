"""What people read: text, JSON, annotations, pictures."""
