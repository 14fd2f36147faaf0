"""From windows of samples to a model, scores and alarms. Arrays in, arrays out: knows nothing of Gravity."""
