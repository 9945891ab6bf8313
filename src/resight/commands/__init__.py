"""The commands, a file each. They are thin: the work is done by the rooms."""
