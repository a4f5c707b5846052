"""Tools a policy may use while it reasons: the calculator behind GSM8K's `<<expr=value>>` annotations."""
