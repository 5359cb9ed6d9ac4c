"""What would stop a segmentation and can be seen before a server is started, so that nobody waits for it."""

from winnow.audio.voice_activity import check_installed
from winnow.corpora.registry import corpus_of
from winnow.parameters.segment import Segment
from winnow.runs.storage import location
from winnow.segmenting.record import check_segmentation_folder


def check_segmentation(settings: Segment) -> None:
    """Raise a WinnowError for packages that are missing, a corpus of another form, or an output that cannot be used."""
    check_installed()
    corpus_of(settings).check()
    check_segmentation_folder(location(settings.output))
