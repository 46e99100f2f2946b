"""What the leaderboard will say: the score corrected for what test rows look like, with a 95 % interval."""
