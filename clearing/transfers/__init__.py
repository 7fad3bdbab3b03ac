"""Files of claims and support records, in and out, of any size in the same memory."""
