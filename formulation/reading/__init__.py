"""Reading a description by rules alone: words, variables, numbers and their roles, statements."""
