"""RecBole's sequential dataset over a prepared split, served lazily from flat arrays."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch
from recbole.data.dataset import SequentialDataset
from recbole.data.interaction import Interaction
from torch import Tensor

from recbole_delta.content import find_content, read_content
from recbole_delta.errors import DeltaError
from recbole_delta.instances import SPLITS, Instances, Interactions
from recbole_delta.seam.checks import (
    COLD_FIELD,
    COUNT_FIELD,
    SPLIT_FIELD,
    check_inter,
    check_item,
    check_order,
    check_shape,
    require_filled,
)
from recbole_delta.seam.reading import coded, numbered, read_plain, recoded
from recbole_delta.seam.settings import DeltaSettings


class ColdWarmDataset(SequentialDataset):
    """A data set whose .inter says, row by row, what the row is for (``split``).

    It differs from RecBole's ``SequentialDataset`` in four points. The split is the prepared
    one. Prefixes and windows are slices of one flat array. The order of a user's rows comes
    from the float64 timestamps, ties from the file's order, before RecBole rounds timestamps
    to float32. Items are numbered by training rows first, so that warm ids are
    1 .. ``n_warm`` and do not depend on what is held out.

    Raises:
        DeltaError: a file is missing or malformed, or a setting would change the split.
    """

    interactions: Interactions
    instances: Instances
    n_warm: int
    """Number of items with a training row; their ids are 1 .. n_warm."""
    item_tokens: np.ndarray
    """Tokens of all items by id, whatever :meth:`with_items` shows."""
    drops_cold = False
    """Whether an index gives histories without cold items, for a model that has no such vectors."""
    inter_feat: Any
    item_feat: Any

    def __init__(self, config: Any) -> None:
        self.settings = DeltaSettings.from_config(config)
        self._trim = getattr(config.model_class, "causal", False)
        super().__init__(config)

    def with_items(self, n_items: int) -> ColdWarmDataset:
        """A shallow copy that shows only the first ``n_items`` items (padding included).

        A RecBole model built over it has a table of that size, and its constructor draws as
        many random numbers as that size takes. Negative samples and mask tokens of its training
        data keep to that size too; validation and test data show all items.
        """
        shown = copy.copy(self)
        tokens = {self.iid_field: self.item_tokens[:n_items]}
        shown.field2id_token = {**self.field2id_token, **tokens}
        return shown

    def content(self) -> np.ndarray:
        """Raw content vectors of items 1, 2, ..., ``[n_items - 1, content_dim]`` float32.

        Raises:
            DeltaError: as :func:`read_content` and :meth:`ContentTable.align`.
        """
        named = self.settings.content_file
        path = Path(named) if named else find_content(self.dataset_path, self.dataset_name)
        return read_content(path).align(self.item_tokens[1:].tolist())

    # -- reading ---------------------------------------------------------------------------

    def _load_data(self, token: str, dataset_path: str) -> None:
        for suffix in ("inter", "item"):
            path = Path(dataset_path) / f"{token}.{suffix}"
            if not path.is_file():
                raise DeltaError(f"There is no {path}; prepare the data set with dataset_prep.")
        try:
            self._texts: dict[str, np.ndarray] = {}
            super()._load_data(token, dataset_path)
            fields = [self.uid_field, self.iid_field, self.time_field]
            check_inter(self.inter_feat, fields, token)
            require_filled(self.item_feat, [self.iid_field, COLD_FIELD], f"{token}.item")
            for own, alias in ((self.uid_field, "user_id"), (self.iid_field, "item_id")):
                self._code(own, [own, *(self.config[f"alias_of_{alias}"] or [])])
            self._trained = self.inter_feat[SPLIT_FIELD].to_numpy() == "train"
            self.n_warm = check_item(
                self.item_feat,
                self.inter_feat[self.iid_field].to_numpy(),
                self._trained,
                self.iid_field,
                self._texts[self.iid_field],
                token,
                self.settings.require_cold,
            )
        except DeltaError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DeltaError(
                f"{token}.inter and {token}.item in {dataset_path} must have user_id:token, "
                f"item_id:token and timestamp:float, split:token and is_cold:token ({error})."
            ) from error

    def _get_load_and_unload_col(self, source: Any) -> tuple[set[str] | None, set[str] | None]:
        load, unload = super()._get_load_and_unload_col(source)
        needed = {
            "inter": {self.uid_field, self.iid_field, self.time_field, SPLIT_FIELD},
            "item": {self.iid_field, COLD_FIELD},
        }.get(getattr(source, "value", source), set())
        return (load if load is None else load | needed), unload

    def _load_feat(self, filepath: str, source: Any) -> pd.DataFrame:
        try:
            if getattr(source, "value", source) == "inter":
                quick = self._read_interactions(Path(filepath), source)
                if quick is not None:
                    return quick
            check_shape(Path(filepath), self.config["field_separator"], self.config["encoding"])
            return super()._load_feat(filepath, source)
        except (ValueError, LookupError) as error:
            raise DeltaError(f"{filepath} is not a RecBole atomic file: {error}.") from error

    def _read_interactions(self, path: Path, source: Any) -> pd.DataFrame | None:
        """Without pandas, which takes minutes for ten million rows; None where it has to be asked.

        The ids are codes of :attr:`_texts`.
        """
        encoding = (self.config["encoding"] or "utf-8").lower().replace("-", "")
        if encoding != "utf8":
            return None
        with path.open(encoding="utf-8") as file, TemporaryDirectory() as folder:
            # RecBole understands the header and notes the types, the rows aside.
            header = file.readline()
            if "_seq" in header:
                return None
            alone = Path(folder) / path.name
            alone.write_text(header, encoding="utf-8")
            empty = super()._load_feat(str(alone), source)
        types = {field: self.field2type[field].value for field in empty}
        if not set(types.values()) <= {"float", "token"}:
            return None
        texts = [field for field, kind in types.items() if kind == "token"]
        frame = read_plain(
            path,
            self.config["field_separator"],
            [f"{field}:float" for field in types if field not in texts],
            [f"{field}:token" for field in texts],
        )
        if frame is None or not {self.uid_field, self.iid_field} <= set(texts):
            return None
        columns: dict[str, np.ndarray] = {}
        for field, kind in types.items():
            column = frame[f"{field}:{kind}"]
            if kind == "float":
                columns[field] = column.to_numpy()
                continue
            codes, distinct = coded(column)
            if field in (self.uid_field, self.iid_field):
                columns[field], self._texts[field] = codes, distinct
            else:
                columns[field] = distinct[codes]
        return pd.DataFrame(columns)

    def _code(self, own: str, alias: Iterable[str]) -> None:
        """Codes for the ids of a user or item, in whatever file and field they stand."""
        inter = self.inter_feat
        if own not in self._texts:
            codes, self._texts[own] = pd.factorize(inter[own])
            inter[own] = codes
        for name in self._build_feat_name_list():
            feat = getattr(self, name)
            for field in feat.columns.intersection(list(alias)):
                if feat is not inter or field != own:
                    feat[field], self._texts[own] = recoded(feat[field], self._texts[own])

    # -- processing ------------------------------------------------------------------------

    def _data_filtering(self) -> None:
        rows = len(self.inter_feat)
        filters = bool(self.config["rm_dup_inter"])
        bounds = ("user_inter_num_interval", "item_inter_num_interval", "val_interval")
        unbounded = all(self.config[bound] in (None, "[0,inf)") for bound in bounds)
        if unbounded and not filters and self.user_feat is None:
            return
        try:
            if not filters:
                super()._data_filtering()
        except ValueError:  # nothing is left
            filters = True
        if filters or len(self.inter_feat) != rows:
            raise DeltaError(
                "RecBole's filters (rm_dup_inter, val_interval, *_inter_num_interval) would change "
                f"the prepared split of {self.dataset_name}; filter in dataset_prep instead."
            )

    def _remap_ID_all(self) -> None:
        """Number users and items by training rows first; every other token as RecBole does."""
        split = self.inter_feat[SPLIT_FIELD]
        self._split_of_row = pd.Index(SPLITS).get_indexer(split).astype(np.int8)
        for own, alias in ((self.uid_field, "user_id"), (self.iid_field, "item_id")):
            texts = self._texts.pop(own)
            number = numbered(self.inter_feat[own].to_numpy(), len(texts), self._trained)
            tokens = np.array(["[PAD]", *texts[np.argsort(number)]])
            ids = dict(zip(tokens.tolist(), range(len(tokens))))
            for field in self.alias[alias]:
                self.field2id_token[field], self.field2token_id[field] = tokens, ids
                for feat in self.field2feats(field):
                    if field in feat:
                        feat[field] = number[feat[field].to_numpy()] + 1
        for field in self._rest_fields:
            self._remap(self._get_remap_list(np.array([field])))
        self.item_tokens = self.field2id_token[self.iid_field]

    def _data_processing(self) -> None:
        super()._data_processing()
        # What tells cold from warm must never reach a model.
        self._del_col(self.inter_feat, SPLIT_FIELD)
        for field in (COLD_FIELD, COUNT_FIELD):
            if field in self.item_feat:
                self._del_col(self.item_feat, field)

    def _change_feat_format(self) -> None:
        fields = (self.uid_field, self.iid_field, self.time_field)
        user, item, time = (self.inter_feat[field].to_numpy() for field in fields)
        in_order = (time[1:] >= time[:-1]).all()
        order = np.argsort(user, kind="stable") if in_order else np.lexsort((time, user))
        user, item, split = user[order], item[order], self._split_of_row[order]
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
        n_cold = int((test.target > self.n_warm).sum())
        for group, count in (("cold", n_cold), ("warm", len(test) - n_cold)):
            if not count and (group == "warm" or self.settings.require_cold):
                raise DeltaError(f"The test split of {self.dataset_name} has no {group} target.")
        positions = train_positions(self.settings, self.config.model_class)
        training = self.interactions.training(positions, self.max_item_list_len)
        if not len(training):
            raise DeltaError(f"No user of {self.dataset_name} has two training rows.")
        self.instances = training
        whole = self.with_items(len(self.item_tokens))
        whole.drops_cold = self.settings.item_embedding == "id" or self.item_num <= self.n_warm + 1
        evaluated = (self.interactions.evaluation("valid"), test)
        return [self._over(training), *(whole._over(part) for part in evaluated)]

    def draw_windows(self, generator: torch.Generator) -> None:
        """Training data of a further epoch: other windows where a loss is at every position."""
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
            user, target, ``item_seq`` ``[B, L]`` padded on the right and its length ``[B]``.
            L is the longest of the batch for a causal backbone, else MAX_ITEM_LIST_LENGTH.
            An empty history is one padding item: RecBole's models look at the last of it.
        """
        chosen = self.instances.warm_history if drop_cold else self.instances.history
        item_seq, item_seq_len = chosen.padded(index, self.max_item_list_len, self._trim)
        interaction = Interaction(
            {
                self.uid_field: self.instances.user[index],
                self.iid_field: self.instances.target[index],
                self.iid_field + self.config["LIST_SUFFIX"]: item_seq,
                self.item_list_length_field: item_seq_len.clamp(min=1),
            }
        )
        return self.join(interaction) if join else interaction


def train_positions(settings: DeltaSettings, model_class: type) -> str:
    """``all`` for a causal backbone, else ``last``, unless it is set.

    Raises:
        DeltaError: ``all`` asked of a model that would see the answer.
    """
    causal = getattr(model_class, "causal", False)
    chosen = settings.train_positions or ("all" if causal else "last")
    if chosen == "all" and not causal:
        raise DeltaError(
            f"train_positions: all needs a causal backbone, and {model_class.__name__} does not "
            "declare itself one; use last."
        )
    return chosen
