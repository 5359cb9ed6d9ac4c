"""The networks of NeMo's transducers behind the encoder, as the lattice of likelihoods asks for them."""

from typing import Any


class NemoNetworks:
    """The predictor and the joint network of a model."""

    def __init__(self, model: Any) -> None:
        self.decoder, self.joint = model.decoder, model.joint
        self.outputs = int(self.joint.num_classes_with_blank)

    def predict(self, labels: Any) -> Any:
        predicted, _ = self.decoder.predict(labels, None, add_sos=True)
        return self.joint.project_prednet(predicted)

    def project(self, encoded: Any) -> Any:
        return self.joint.project_encoder(encoded.transpose(1, 2))

    def join(self, hidden: Any) -> Any:
        """Return the outputs before the softmax, which NeMo applies on a CPU only."""
        if self.joint.is_adapter_available():
            hidden = self.joint.forward_enabled_adapters(hidden)
        return self.joint.joint_net(hidden)
