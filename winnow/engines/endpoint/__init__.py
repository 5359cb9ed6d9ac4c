"""Models of servers with OpenAI's interface for transcription, `/v1/audio/transcriptions`."""
