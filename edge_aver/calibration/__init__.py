"""Folds, the stratified draw of calibration clips, and manifests that cannot leak."""
