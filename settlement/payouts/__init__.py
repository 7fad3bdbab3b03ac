"""What is paid, to which account, and what becomes of it."""
