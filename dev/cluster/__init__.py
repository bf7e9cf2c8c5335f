"""What docker-compose.yaml describes, run without a container engine."""
