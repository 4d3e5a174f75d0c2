"""A local page on which a clip is dropped and what the network sees in it is shown."""
