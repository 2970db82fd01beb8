"""How blood flows: reduced-order solvers. SI inside, clinical units at the door."""
