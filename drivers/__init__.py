"""What a laboratory can do: commands, links, instruments, and the clock."""
