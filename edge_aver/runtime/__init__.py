"""Inference from an artifact: numpy and one runtime library."""

from edge_aver.runtime.model import Model, Prediction, load, newest

__all__ = ["Model", "Prediction", "load", "newest"]
