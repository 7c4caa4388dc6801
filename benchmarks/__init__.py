"""The measured claims of the README, one script each."""
