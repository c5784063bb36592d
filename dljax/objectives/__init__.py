"""What is minimised. Every function here takes models as arguments and returns an Objective."""
