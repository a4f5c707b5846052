"""What is measured. Each module prints a table and writes its figures, with machine and date, to results/."""
