"""What operators see of a running worker: health, metrics, logs."""
