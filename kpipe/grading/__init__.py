"""Submissions scored on answers that the user has, and competitions made of a part of train.csv to try them on."""
