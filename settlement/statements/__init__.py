"""What banks answer: their files read as a stream of lines, and each line held against what was ordered."""
