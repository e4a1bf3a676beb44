"""Links: the byte pipe below a driver. One exchange at a time, one deadline for each, and never out of step."""
