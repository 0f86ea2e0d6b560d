"""Protocols, never meanings: mysql, ssh, http."""
