"""Forms of data that a run is exported to."""

from winnow.export.form import Form
from winnow.export.forms.hugging_face import HuggingFace
from winnow.export.forms.kaldi_folder import KaldiFolder
from winnow.export.forms.nemo_manifest import NemoManifest
from winnow.export.forms.nemo_tarred import NemoTarred
from winnow.export.forms.shar import Shar
from winnow.export.forms.web_dataset import WebDataset

FORMS: dict[str, Form] = {
    "nemo": NemoManifest(),
    "nemo-tarred": NemoTarred(),
    "shar": Shar(),
    "webdataset": WebDataset(),
    "hf": HuggingFace(),
    "kaldi": KaldiFolder(),
}
"""The forms by the names of `winnow.parameters.export.FormName`."""
