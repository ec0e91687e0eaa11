"""Figures that the sample loads; `README.md` names their source."""
