"""Everything that commands print with Rich: a module per thing shown. stdout holds results, stderr progress."""
