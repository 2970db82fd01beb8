"""How blood flows: steady and pulsatile reduced-order solvers. SI inside, clinical units at the door."""
