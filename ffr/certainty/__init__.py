"""How sure a result is: inputs drawn, intervals, what they come from."""
