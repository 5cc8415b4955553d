"""What the workers do. Runs in the clusters only; web processes never import it."""
