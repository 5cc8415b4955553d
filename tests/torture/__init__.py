"""Kills processes of a loaded service at random and counts what became of every upload."""
