"""From the bytes of a clip to the tensors a network takes: decode, find faces, describe speech."""
