"""Inference from an artifact: numpy and one runtime library."""

from edge_aver.runtime.front_end import FastPlan, fast_plan
from edge_aver.runtime.model import Model, Prediction, load, newest

__all__ = ["FastPlan", "Model", "Prediction", "fast_plan", "load", "newest"]
