"""Where clips come from, and the store that holds them as tensors."""
