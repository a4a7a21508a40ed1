"""Programs and data that several tests share."""
