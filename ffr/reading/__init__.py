"""From a path to a scan: folders, zips, DICOM series, image files; how series are written."""
