"""Series: one campaign simulated with many seeds, spread over processes or machines, each result kept as it comes."""
