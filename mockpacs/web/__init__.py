"""The control API: HTTP for test authors of any language. It steers a server, and leaves the DICOM side alone."""
