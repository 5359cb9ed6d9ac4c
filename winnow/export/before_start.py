"""What would stop an export and can be seen before a server is started, so that nobody waits for it."""

from winnow.errors import OptionError, OutputError
from winnow.export.export_dir import check_export_folder
from winnow.parameters.export import Export
from winnow.runs.completion import read_completion
from winnow.runs.storage import is_local, location


def check_export(settings: Export) -> None:
    """Raise a WinnowError for a run that is not complete, or an output that cannot be used."""
    run, output = location(settings.run), location(settings.output)
    read_completion(run)
    if run == output:
        raise OutputError(f"{output}: is the run that is exported: choose another output")
    if not is_local(output) and settings.form == "kaldi":
        raise OptionError("--output: Kaldi reads files on disks: use a folder")
    if not is_local(output) and settings.push:
        raise OptionError("--push: uploads from a disk: use a local --output")
    check_export_folder(output)
