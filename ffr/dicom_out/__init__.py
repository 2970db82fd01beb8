"""A finished run as DICOM objects, in the study that it was made from."""
