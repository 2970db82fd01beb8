"""From a patient to a number: reading, segmentation, physiology, pipeline, report, CLI."""

__version__ = "0.1.0"
