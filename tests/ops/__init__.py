"""What operators get: Prometheus rules, the systemd unit."""
