"""What names of files, folders, parts and classes say; no image is opened."""
