"""Who owes whom, and the order to pay."""
