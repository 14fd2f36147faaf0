"""What the nodes and the scripts share about running as a cluster."""
