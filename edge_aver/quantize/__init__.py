"""Precision: recipes that name blocks, and their lowering per family of runtimes."""

from edge_aver.quantize.recipes import Calibration, ParityLimits, Recipe, load_recipe, recipe_names

__all__ = ["Calibration", "ParityLimits", "Recipe", "load_recipe", "recipe_names"]
