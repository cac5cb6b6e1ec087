"""Durable work: what is to be done stands in the database, whoever dies meanwhile."""
