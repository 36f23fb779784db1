"""Records of the journal into the topics once more: a range, an organization, a subject, or all of it."""
