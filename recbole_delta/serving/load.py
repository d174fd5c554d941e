"""A model from its checkpoint alone: no data set is needed to serve it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from recbole.utils import FeatureSource, FeatureType, get_model
from torch import Tensor

from dataset_prep.errors import DeltaError
from recbole_delta.compute.devices import named_device
from recbole_delta.config.run_config import RunConfig
from recbole_delta.config.settings import DeltaSettings
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.embedding.content_map import ContentMap
from recbole_delta.embedding.delta import DeltaEmbedding
from recbole_delta.embedding.product_quantiser import ProductQuantiser
from recbole_delta.embedding.spec import Fit
from recbole_delta.model.registry import is_registered
from recbole_delta.serving.memory_guard import Allowance
from recbole_delta.trainer.checkpoint import Checkpoint, catalogue_tokens

CONTENT = "item_embedding.content"
"""End of the name of the content rows in a model's state dict."""


class StoredCatalogue(ColdWarmDataset):
    """What a model's constructor reads from its data set, out of a checkpoint.

    Args:
        config: RecBole ``Config`` of the run.
        checkpoint: checkpoint of the run.
    """

    def __init__(self, config: Any, checkpoint: Checkpoint) -> None:
        self.config, self.settings = config, DeltaSettings.from_config(config)
        self._checkpoint = checkpoint
        self.uid_field, self.iid_field = config["USER_ID_FIELD"], config["ITEM_ID_FIELD"]
        self._count = checkpoint.catalogue["train_count"].numpy()
        self.n_warm = len(self._count)
        # As objects: an array of texts gives each the room of the longest, and cuts off its NULs.
        tokens = np.array(["[PAD]", *catalogue_tokens(checkpoint.catalogue)], dtype=object)
        self.item_tokens = tokens
        self.field2id_token = {self.iid_field: tokens, self.uid_field: np.array(["[PAD]"])}
        self.field2type = dict.fromkeys(self.field2id_token, FeatureType.TOKEN)
        self.field2source = {self.iid_field: FeatureSource.ITEM_ID}
        item_seq = self.iid_field + config["LIST_SUFFIX"]
        self.field2seqlen = {item_seq: config["MAX_ITEM_LIST_LENGTH"]}
        self.max_item_list_len = config["MAX_ITEM_LIST_LENGTH"]

    def content_rows(self, fit: Fit, dim: int) -> tuple[ContentMap, Tensor]:
        """The map and the rows that the model was trained with, rows of added items included.

        Args:
            fit: how the map was fitted; not needed.
            dim: dimension d of the item embedding; not needed.

        Returns:
            the map, and ``[n_items, ...]`` rows with padding (zero) first.
        """
        [name] = [name for name in self._checkpoint.model if name.endswith(CONTENT)]
        start = f"{name}_map."
        state = {
            key.removeprefix(start): value
            for key, value in self._checkpoint.model.items()
            if key.startswith(start)
        }
        kind = ProductQuantiser if "codebooks" in state else ContentMap
        return kind.stored(state), self._checkpoint.model[name]

    def warm_content(self) -> None:
        """Nothing: a checkpoint has none, and no loss asks for it."""
        return None

    def train_counts(self) -> np.ndarray:
        """``[n_warm]`` int64 training rows of items 1, 2, ..."""
        return self._count


def stored_model(
    checkpoint: Checkpoint, device: str | torch.device | None = None
) -> tuple[Any, StoredCatalogue]:
    """The model of a checkpoint, in evaluation mode, and its catalogue.

    Args:
        checkpoint: checkpoint of a run or of a recommender.
        device: where the model computes; by default on a GPU if there is one and the run's settings
            allow it.

    Raises:
        DeltaError: the model is RecBole's own or follows from training rows, the parts of the file
            do not fit together, or there is no such device.
    """
    settings = checkpoint.metadata.settings_anywhere
    if device is None:
        config = RunConfig(config_dict=settings)
    else:
        config = RunConfig(config_dict={**settings, "use_gpu": False})
        config["device"] = named_device(device)
    model_class = get_model(config["model"])
    if not is_registered(model_class):
        raise DeltaError(
            f"{checkpoint.path} holds RecBole's {config['model']}; RecBole's own models are "
            "compared here, not served. Train one of ours, with item_embedding: id for one of IDs."
        )
    if model_class.follows_from_rows:
        raise DeltaError(
            f"{checkpoint.path} is of {config['model']}, which is computed from training rows, and "
            "a checkpoint has none; recommend from a model that is trained."
        )
    try:
        catalogue = StoredCatalogue(config, checkpoint)
        numbers = sum(tensor.numel() for tensor in checkpoint.model.values())
        with torch.random.fork_rng(devices=[]), Allowance(numbers):
            model = model_class(config, catalogue).to(config["device"])
    except (KeyError, ValueError, TypeError, RuntimeError, ArithmeticError) as error:
        if isinstance(error, DeltaError):
            raise
        raise DeltaError(
            f"{checkpoint.path} does not fit together ({error!r}); use a whole copy."
        ) from error
    for name, module in model.named_modules():
        if isinstance(module, DeltaEmbedding):
            module.extend_deltas(len(checkpoint.model[f"{name}.delta"]) - 1)
    checkpoint.load_into(model)
    model.set_offsets(*checkpoint.metadata.offsets)
    checkpoint.metadata.warn_if_uncalibrated(catalogue.settings, checkpoint.path)
    return model.eval(), catalogue
