"""OpenID Connect at the console's door: providers that the operator names vouch for people who have an account here."""
