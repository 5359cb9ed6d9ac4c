"""How NeMo names the files of tarred datasets."""

import re

MANIFEST = re.compile(r"(?:.*[_.-])?manifest[^/]*_(\d+)[^/]*\.jsonl?(?:\.gz)?", re.IGNORECASE)
SINGLE = re.compile(r"tarred_audio_manifest[^/]*\.jsonl?(?:\.gz)?", re.IGNORECASE)
TAR = re.compile(r"audio[^/]*_(\d+)[^/]*\.(?:tar|tgz)")
"""Names from which NeMo's `LazyNeMoTarredIterator` takes the number of a shard."""

SHARDED = "sharded_manifests"
"""The folder beside the tars into which NeMo's script writes the manifests of shards."""
