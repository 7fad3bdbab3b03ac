"""The rules of an assessment, one file per family; ``order`` has them in their fixed order."""
