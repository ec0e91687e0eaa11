"""The history: who did what to what, from where, with what result, in hash-chained files."""
