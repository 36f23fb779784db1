"""What operators do to recover: prove, rebuild, publish again, read again, mend. The commands only show it."""
