"""What would stop a segmentation and can be seen before a server is started, so that nobody waits for it."""

from winnow.audio.voice_activity import check_installed
from winnow.corpora.registry import corpus_of
from winnow.models.auto_select import with_checkpoint_names
from winnow.parameters.curation import Curation
from winnow.parameters.segment import Segment
from winnow.runs.completion import SUCCESS
from winnow.runs.reuse import input_digests
from winnow.runs.run_dir import check_folder
from winnow.runs.run_record import has_results, raise_if_other_run
from winnow.runs.storage import location
from winnow.segmenting.record import MANIFEST, check_segmentation_folder
from winnow.validation.before_start import check_folders, check_inputs, check_models, check_run, known_models
from winnow.validation.rules import phrase_digest


def of_segments(settings: Curation) -> Curation:
    """Return the parameters of a curation whose recordings were cut into segments."""
    assert settings.segment is not None
    manifest = location(settings.segment) / MANIFEST
    changed = {"manifest": str(manifest), "segment": None, "columns": "", "relative_to": None}
    return settings.model_copy(update=changed)


def check_curation(settings: Curation) -> None:
    """Raise a WinnowError for a curation that could not start; also for one whose recordings are cut first."""
    if settings.segment is None:
        check_run(settings)
        return
    check_segmentation(Segment.before(with_checkpoint_names(settings)))
    following = of_segments(settings)
    if (location(settings.segment) / SUCCESS).exists():
        check_run(following)
        return
    rules, run = check_inputs(settings), location(settings.output)
    check_folder(run)
    if has_results(run):  # those of segments that were not complete: their digest is not known yet
        inputs = {"manifest": input_digests(run)["manifest"], **phrase_digest(rules)}
        raise_if_other_run(run, following, inputs | known_models(following, run))


def check_segmentation(settings: Segment) -> None:
    """Raise a WinnowError for what is missing, a corpus of another form, or an output that cannot be used."""
    check_installed()
    corpus_of(settings).check()
    check_folders({"audio_root": settings.audio_root, "relative_to": settings.relative_to})
    if settings.reading:
        check_models(with_checkpoint_names(settings.reading).checkpoints, settings.trust_unpinned)
    check_segmentation_folder(location(settings.output))
