"""From messages or a file to complete samples in order of time. Knows nothing of models."""
