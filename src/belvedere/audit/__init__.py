"""The history: who did what to what, from where, with what result, in files that show when they were changed."""
