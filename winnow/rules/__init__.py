"""What a kept utterance must satisfy: rules as data, what they need, and what their thresholds cost."""
