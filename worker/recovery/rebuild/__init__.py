"""An empty database from what the topics say."""
