"""Whisper models in the format of CTranslate2, run by faster-whisper."""
