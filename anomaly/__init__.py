"""What the nodes are made of: points, samples, windows and the autoencoder. Knows nothing of Gravity."""
