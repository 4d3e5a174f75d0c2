"""The backbone, the three fusion architectures, their training and their checkpoints (needs torch)."""
