"""Showing records of the topics as they come: following them, choosing among them, saying them in words."""
