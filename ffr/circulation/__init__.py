"""What is known and assumed of a patient's circulation, and what the ends of a tree see."""
