"""Other libraries' faces over this stack, for programs that were written for those."""
