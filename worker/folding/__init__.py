"""Published records read back into what happened, and folded into state: for rebuilding, and for older databases."""
