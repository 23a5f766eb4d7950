"""Each a program: images under one S3 prefix in, Parquet under another out, written as that project documents it."""
