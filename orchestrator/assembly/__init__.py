"""Assembly: the parts of one campaign put together on a clock, run, and taken apart again (see `assembly`)."""
