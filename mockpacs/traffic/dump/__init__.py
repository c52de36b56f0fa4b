"""PDUs, command sets and data sets as text and as DICOM JSON."""
