"""What an operator knows of lanes that have stopped, so that they go on."""
