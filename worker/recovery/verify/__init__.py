"""Proving that the records of the system agree with each other. Reads only, all from one moment of the database."""
