"""The app: `python -m app`."""
