"""What each vendor's API is: all its facts in one file, pure."""
