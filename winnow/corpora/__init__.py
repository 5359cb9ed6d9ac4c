"""Reading a manifest: where its shards lie, what its lines say, which of them are no utterances."""
