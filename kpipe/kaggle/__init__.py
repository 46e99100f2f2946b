"""Kaggle over the network: credentials, the real client made well-behaved, downloads. Nothing here learns or scores."""
