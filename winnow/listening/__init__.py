"""What can be heard beside the words: measures of audio that need models or time, and are computed on demand."""
