"""Upload an exported dataset to the Hugging Face hub, with the token in HF_TOKEN or of `hf auth login`."""

from pathlib import Path

from winnow.errors import StoreError
from winnow.parameters.redaction import error_line

UPLOADED = ["README.md", "data/*.parquet"]


def push(output: Path, repository: str) -> str:
    """Upload the files of the dataset in one commit and return its URL; a new repository is private.

    Files of an earlier export that this one does not have are removed. Raises StoreError if the hub refuses.
    """
    from huggingface_hub import HfApi

    api = HfApi()
    try:
        api.create_repo(repository, repo_type="dataset", private=True, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repository,
            repo_type="dataset",
            folder_path=output,
            allow_patterns=UPLOADED,
            delete_patterns=["data/*.parquet"],
            commit_message="Export by Winnow",
        )
    except Exception as error:  # its client raises those of several libraries
        raise StoreError(
            f"{repository}: the export is complete, but the hub refuses it: {error_line(error)}"
        ) from error
    return str(commit.commit_url)
