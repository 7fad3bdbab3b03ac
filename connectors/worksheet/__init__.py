"""Worksheets: claims of regions that have only CSV or XLSX, read cell by cell, with what is wrong beside each row."""
