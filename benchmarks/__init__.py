"""What the detector reaches, measured: each module is a program of its own."""
