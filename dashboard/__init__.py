"""The live view: what arrives is thinned and counted, and drawn in a browser. Knows nothing of Gravity."""
