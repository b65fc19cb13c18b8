"""What is known of the zoo as it was trained: goals, recorded runs, the page made from them, comparisons."""
