"""The commands as they are typed: arguments, options, help. What carries them out is imported when they are called."""
