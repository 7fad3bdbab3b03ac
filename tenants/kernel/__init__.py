"""Money, time, identifiers, errors, database, audit and outbox: what every other package builds on."""
