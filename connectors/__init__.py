"""What platforms say, brought into one form."""
