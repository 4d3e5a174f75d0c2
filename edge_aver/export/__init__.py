"""From a PyTorch checkpoint to artifacts, parity checked after every step."""
