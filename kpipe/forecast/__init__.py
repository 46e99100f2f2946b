"""Forecast of the leaderboard score: the out-of-fold score, corrected for differences of test, with an interval."""
