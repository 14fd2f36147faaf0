"""Pictures of a run or a training, to keep: from arrays to an HTML page, PNG or SVG. Knows nothing of Gravity."""
