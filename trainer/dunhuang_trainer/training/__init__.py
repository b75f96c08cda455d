"""A run: one optimiser update, the loop around it, its folder, its log, and how it stops."""
