"""What a problem looks like, its worked examples, and how an answer is found and judged; one file per task."""
