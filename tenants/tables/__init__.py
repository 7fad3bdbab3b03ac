"""Tables that people and banks hand in, CSV and XLSX: read as a stream within one set of bounds, cell by cell."""
