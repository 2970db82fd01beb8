"""What do the vessel's wall and the fat around it look like? Research grade.

Nothing here reaches flow, FFR or the suggested grade; see docs/plaque.md.
"""
