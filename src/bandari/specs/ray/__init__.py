"""The languages of Ray clusters: compute configs in both schemas, and the files of what runs on them. Pure."""
