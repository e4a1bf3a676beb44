"""Status: where a campaign stands, in a form that a program can read; it disturbs nothing (see `looks`)."""
