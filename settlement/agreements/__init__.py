"""Who pays whose providers: agreements between tenants, and what they lead to."""
