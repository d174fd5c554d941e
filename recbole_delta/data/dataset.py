"""RecBole's sequential dataset over a prepared split, served lazily from flat arrays."""

from __future__ import annotations

import copy
import hashlib
from logging import getLogger
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recbole.data.dataset import SequentialDataset
from recbole.data.interaction import Interaction
from recbole.model.abstract_recommender import SequentialRecommender
from torch import Tensor
from torch.nn import functional as F

from dataset_prep.errors import DeltaError
from dataset_prep.format.content import find_content, read_content
from recbole_delta.compute.distributed import require_same, world_size
from recbole_delta.config.defaults import given_settings
from recbole_delta.config.recbole_checks import unread_arguments
from recbole_delta.config.settings import DeltaSettings
from recbole_delta.data.batch import SequenceBatch
from recbole_delta.data.checks import check_order
from recbole_delta.data.instances import Instances, Interactions
from recbole_delta.data.ordinary import prepare_on_the_way
from recbole_delta.data.prepared import PreparedDataset
from recbole_delta.data.repeats import warn_of_repeats
from recbole_delta.data.traits import traits_of
from recbole_delta.embedding.content_map import ContentMap
from recbole_delta.embedding.spec import Fit


class ColdWarmDataset(PreparedDataset):
    """A data set whose .inter says, row by row, what the row is for (``split``).

    It differs from RecBole's ``SequentialDataset`` in four points. The split is the prepared
    one. Prefixes and windows are slices of one flat array. The order of a user's rows comes
    from the float64 timestamps, ties from the file's order, before RecBole rounds timestamps
    to float32. Items are numbered by training rows first, so that warm ids are
    1 .. ``n_warm`` and do not depend on what is held out.

    Args:
        config: a RecBole ``Config``.
        holds_out: take warm items out of training, as cold validation targets, and leave out test
            rows and whatever training has never seen; see ``data/cold_validation.py``.

    Attributes:
        interactions: all rows by user and time.
        instances: what is served: training instances, or validation or test cases.

    Raises:
        DeltaError: a file is missing or malformed, or a setting would change the split.
    """

    interactions: Interactions
    instances: Instances
    drops_cold = False
    """Whether indexing gives histories without cold items, for a model without vectors for them."""

    def __init__(self, config: Any, holds_out: bool = False) -> None:
        if not config["single_spec"]:
            raise DeltaError(
                "RecBole's own launcher shares batches out in a way that our models do not know; "
                "start several processes with recbole-delta --nproc=N, or with torchrun."
            )
        unread = unread_arguments(given_settings(config))
        if unread and not holds_out:
            getLogger().warning(unread)
        prepare_on_the_way(config)
        self.settings, self._holds_out = DeltaSettings.from_config(config), holds_out
        self._trim = not traits_of(config.model_class).fixed_length
        super().__init__(config)

    def with_items(self, n_items: int) -> ColdWarmDataset:
        """A shallow copy that shows only the first ``n_items`` items, padding included.

        A RecBole model built over it has a table of that size, and its constructor draws as
        many random numbers as that size takes. Negative samples and mask tokens of its training
        data keep to that size too; validation and test data show all items.
        """
        shown = copy.copy(self)
        tokens = {self.iid_field: self.item_tokens[:n_items]}
        shown.field2id_token = {**self.field2id_token, **tokens}
        return shown

    @property
    def n_catalogue(self) -> int:
        """Number of items of the whole data set, padding included, whatever is shown."""
        return len(self.item_tokens)

    @property
    def has_cold_target(self) -> Tensor:
        """``[n]`` bool, whether the target of each of :attr:`instances` is cold."""
        return self.instances.target > self.n_warm

    @property
    def ends_cold(self) -> Tensor:
        """``[n]`` bool, whether the last item of each history of :attr:`instances` is cold."""
        history = self.instances.history
        last = history.items[(history.stop - 1).clamp(min=0)]
        return (last > self.n_warm) & (history.lengths > 0)

    def content(self) -> np.ndarray:
        """Raw content vectors of items 1, 2, ..., ``[n_items - 1, content_dim]`` float32.

        Raises:
            DeltaError: the content file is missing or damaged, a vector is missing, not finite or
                all zero, or processes have read different ones.
        """
        named = self.settings.content_file
        path = Path(named) if named else find_content(self.dataset_path, self.dataset_name)
        content = read_content(path).align(self.item_tokens[1:].tolist())
        if world_size() > 1:
            digest = hashlib.sha256(np.ascontiguousarray(content).data).hexdigest()
            require_same(f"content vectors ({path})", digest)
        return content

    def warm_content(self) -> np.ndarray | None:
        """Raw content vectors of the warm items, ``[n_warm, content_dim]`` float32.

        Returns:
            None only where nothing is trained any more.

        Raises:
            DeltaError: the content cannot be read.
        """
        return self.content()[: self.n_warm]

    def content_rows(self, fit: Fit, dim: int) -> tuple[ContentMap, Tensor]:
        """The map from content to rows of an embedding, fitted on warm items, and the rows.

        Args:
            fit: how the map is fitted.
            dim: dimension d of the item embedding.

        Returns:
            the map, and ``[n_items, ...]`` float32 rows with padding (zero) first.

        Raises:
            DeltaError: the content cannot be read or mapped.
        """
        content = self.content()
        content_map = fit(content[: self.n_warm], self.train_counts(), dim)
        return content_map, F.pad(content_map(content), (0, 0, 1, 0))

    def train_counts(self) -> np.ndarray:
        """``[n_warm]`` int64 training rows of items 1, 2, ..."""
        return self.interactions.train_counts()

    def _change_feat_format(self) -> None:
        fields = (self.uid_field, self.iid_field, self.time_field)
        user, item, time = (self.inter_feat[field].to_numpy() for field in fields)
        in_order = (time[1:] >= time[:-1]).all()
        order = np.argsort(user, kind="stable") if in_order else np.lexsort((time, user))
        user, item, split = user[order], item[order], self.split_of_row[order]
        check_order(user, split, self.dataset_name)
        self.interactions = Interactions(user, item, split, self.n_warm)
        # Past SequentialDataset, which would copy every prefix.
        super(SequentialDataset, self)._change_feat_format()
        self._aug_presets()

    def build(self) -> list[ColdWarmDataset]:
        """The training, validation and test data sets.

        Raises:
            DeltaError: the test split lacks cold or warm targets, or a setting is out of place.
        """
        if set(self.config["eval_args"]["mode"].values()) != {"full"}:
            raise DeltaError("eval_args: mode must be full; cold and warm items are ranked fully.")
        self._change_feat_format()
        test = self.interactions.evaluation("test")
        if self.settings.mask_history and not self._holds_out:
            warn_of_repeats(self.dataset_name, test)
        n_cold = int((test.target > self.n_warm).sum())
        for group, count in (("cold", n_cold), ("warm", len(test) - n_cold)):
            wanted = group == "warm" or self.settings.require_cold
            if not count and wanted and not self._holds_out:
                fix = "; to go on without, set require_cold: False" if group == "cold" else ""
                raise DeltaError(
                    f"The test split of {self.dataset_name} has no {group} target{fix}."
                )
        positions = train_positions(self.settings, self.config.model_class)
        training = self.interactions.training(positions, self.max_item_list_len)
        if not len(training):
            raise DeltaError(f"No user of {self.dataset_name} has two training rows.")
        self.instances = training
        whole = self.with_items(len(self.item_tokens))
        has_cold_rows = self.settings.embedding_spec.embeds_cold_items
        whole.drops_cold = not has_cold_rows or self.item_num <= self.n_warm + 1
        evaluated = (self.interactions.evaluation("valid"), test)
        return [self._over(training), *(whole._over(part) for part in evaluated)]

    def inter_matrix(self, form: str = "coo", value_field: str | None = None) -> Any:
        """The training rows as a sparse matrix ``[users, items]``; RecBole's ``inter_matrix``.

        Args:
            form: ``coo`` or ``csr``.
            value_field: field of the values; ones by default.
        """
        user, item = self.interactions.training_rows()
        rows = Interaction({self.uid_field: user, self.iid_field: item})
        return self._create_sparse_matrix(rows, self.uid_field, self.iid_field, form, value_field)

    def draw_windows(self, generator: torch.Generator) -> None:
        """Take the training data of a further epoch: other windows where it has windows.

        Args:
            generator: source of the windows' ends.
        """
        positions = train_positions(self.settings, self.config.model_class)
        if positions == "all":
            seed = int(torch.randint(2**62, (1,), generator=generator))
            self.instances = self.interactions.training(
                positions, self.max_item_list_len, np.random.default_rng(seed)
            )

    # -- serving ---------------------------------------------------------------------------

    def _over(self, instances: Instances) -> ColdWarmDataset:
        part = copy.copy(self)
        part.instances = instances
        # What RecBole counts, samples and looks up in a part is the part's own.
        targets = {self.uid_field: instances.user, self.iid_field: instances.target}
        part.inter_feat = Interaction(targets)
        return part

    def __len__(self) -> int:
        return len(self.instances) if hasattr(self, "instances") else len(self.inter_feat)

    def __getitem__(self, index: Any, join: bool = True) -> Interaction:
        return self.batch(torch.as_tensor(index), drop_cold=self.drops_cold, join=join)

    def batch(self, index: Tensor, drop_cold: bool = False, join: bool = True) -> Interaction:
        """A batch as RecBole's models expect it.

        Args:
            index: ``[B]`` positions in :attr:`instances`.
            drop_cold: leave cold items out of the history.
            join: add the features of the user and the target item, as RecBole does.

        Returns:
            user ``[B]``, target ``[B]``, ``item_seq`` ``[B, L]`` padded on the right and its length
            ``[B]``. L is the longest of the batch for a backbone of ours that does not need a fixed
            length, else MAX_ITEM_LIST_LENGTH. An empty history is one padding item, because
            RecBole's models look at its last one.
        """
        chosen = self.instances.warm_history if drop_cold else self.instances.history
        item_seq, item_seq_len = chosen.padded(index, self.max_item_list_len, self._trim)
        sequences = self.iid_field + self.config["LIST_SUFFIX"]
        fields = {
            self.uid_field: self.instances.user[index],
            self.iid_field: self.instances.target[index],
            sequences: item_seq,
            self.item_list_length_field: item_seq_len.clamp(min=1),
        }
        interaction = SequenceBatch(fields, sequences, item_seq_len)
        return self.join(interaction) if join else interaction


def train_positions(settings: DeltaSettings, model_class: type) -> str:
    """Where a model learns: at every position of windows, or at the last one of prefixes.

    Args:
        settings: settings of the run; ``train_positions`` may choose.
        model_class: class of the model.

    Returns:
        ``all`` for a backbone that learns from windows, ``last`` for any other sequential one,
        ``none`` for a model that knows no histories.

    Raises:
        DeltaError: ``all`` is set for a model that would see the answer, or ``last`` for one that
            learns from windows.
    """
    if not issubclass(model_class, SequentialRecommender):
        return "none"
    traits = traits_of(model_class)
    masked, windows = traits.takes_windows, traits.takes_windows or traits.causal
    chosen = settings.train_positions or ("all" if windows else "last")
    if chosen == "all" and not windows:
        raise DeltaError(
            f"train_positions: all needs a causal backbone, and {model_class.__name__} does not "
            "declare itself one; use last."
        )
    if chosen == "last" and masked:
        raise DeltaError(f"{model_class.__name__} learns from windows; leave train_positions out.")
    return chosen
