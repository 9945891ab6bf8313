"""What `resight demo` tells: its folder, its scenes, its pictures and its report."""
