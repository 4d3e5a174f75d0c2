"""From a trained audiovisual emotion recognition network to engine files on a device, and what the trip cost."""

__version__ = "0.1.0"
