"""Score submissions against known answers, and make practice competitions from a part of train.csv."""
