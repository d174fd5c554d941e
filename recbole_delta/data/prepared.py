"""The files of a prepared data set, read, checked and numbered."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from recbole.data.dataset import SequentialDataset

from dataset_prep.errors import DeltaError
from dataset_prep.format.fields import COLD_FIELD, COUNT_FIELD, SPLIT_FIELD, SPLITS
from recbole_delta.config.settings import DeltaSettings
from recbole_delta.data.checks import check_inter, check_item, check_shape, require_filled
from recbole_delta.data.cold_validation import hold_out, n_held_out
from recbole_delta.data.fast_reader import coded, numbered, read_plain, recoded

HOLD_OUT_SEED = 42
"""Seeds the choice of random items to hold out: the same in every run."""


class PreparedDataset(SequentialDataset):
    """RecBole's data set over files that say, row by row, what the row is for (``split``).

    Users and items are numbered by training rows first, so that warm ids are 1 .. ``n_warm`` and
    do not depend on what is held out.

    Args:
        config: a RecBole ``Config``.

    Raises:
        DeltaError: a file is missing or malformed, or a setting would change the split.
    """

    settings: DeltaSettings
    _holds_out = False
    """Whether warm items are taken out of training, as cold validation targets."""
    n_warm: int
    """Number of items with a training row; their ids are 1 .. n_warm."""
    item_tokens: np.ndarray
    """``[n_items]`` tokens of all items by id, that of padding first."""
    split_of_row: np.ndarray
    """``[rows]`` int8 positions in SPLITS, in the order of the file."""
    files_read: dict[str, tuple[int, int]]
    """Size and time of change of each file, by its name, as they were when it was read."""
    inter_feat: Any
    item_feat: Any

    def _load_data(self, token: str, dataset_path: str) -> None:
        self.files_read = {}
        for suffix in ("inter", "item"):
            path = Path(dataset_path) / f"{token}.{suffix}"
            if not path.is_file():
                raise DeltaError(f"There is no {path}; prepare the data set with dataset_prep.")
            state = path.stat()
            self.files_read[path.name] = (state.st_size, state.st_mtime_ns)
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
            if self._holds_out:
                self._hold_out()
        except DeltaError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DeltaError(
                f"{token}.inter and {token}.item in {dataset_path} must have user_id:token, "
                f"item_id:token and timestamp:float, split:token and is_cold:token ({error})."
            ) from error

    def _hold_out(self) -> None:
        """Make warm items cold, and leave out all that training has never seen.

        Test rows and the items of tests are gone, so that nothing can depend on them.
        """
        inter, item = self.inter_feat, self.item_feat
        codes = inter[self.iid_field].to_numpy()
        warm = np.zeros(len(self._texts[self.iid_field]), dtype=bool)
        warm[codes[self._trained]] = True
        kept = warm[codes] & (inter[SPLIT_FIELD].to_numpy() != "test")
        inter, codes = inter[kept].reset_index(drop=True), codes[kept]
        split = pd.Index(SPLITS).get_indexer(inter[SPLIT_FIELD])
        changed = hold_out(
            inter[self.uid_field].to_numpy(),
            codes,
            inter[self.time_field].to_numpy(),
            split,
            which=self.settings.cold_validation,
            n_items=n_held_out(int(warm.sum()), int(len(item) - warm[item[self.iid_field]].sum())),
            seed=HOLD_OUT_SEED,
        )
        inter[SPLIT_FIELD] = np.array(SPLITS, dtype=object)[changed]
        self._trained = inter[SPLIT_FIELD].to_numpy() == "train"
        self.n_warm = len(np.unique(codes[self._trained]))
        self.inter_feat = inter
        self._forget(warm)

    def _forget(self, warm: np.ndarray) -> None:
        """Number the items again without those that are not ``warm`` (by code)."""
        code = np.cumsum(warm) - 1
        self._texts[self.iid_field] = self._texts[self.iid_field][warm]
        self.item_feat = self.item_feat[warm[self.item_feat[self.iid_field]]].reset_index(drop=True)
        for feat in (self.inter_feat, self.item_feat):
            feat[self.iid_field] = code[feat[self.iid_field].to_numpy()]

    def _get_load_and_unload_col(self, source: Any) -> tuple[set[str] | None, set[str] | None]:
        load, unload = super()._get_load_and_unload_col(source)
        needed = {
            "inter": {self.uid_field, self.iid_field, self.time_field, SPLIT_FIELD},
            "item": {self.iid_field, COLD_FIELD},
        }.get(getattr(source, "value", source), set())
        return (load if load is None else load | needed), unload

    def _load_feat(self, filepath: str, source: Any) -> pd.DataFrame:
        if not Path(filepath).stat().st_size:
            raise DeltaError(
                f"{filepath} is empty; its first line names the columns: user_id:token, ..."
            )
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
        """The rows, read by polars; None for a file that only RecBole's reader can read or refuse.

        pandas takes minutes for ten million rows. The ids are codes of :attr:`_texts`.
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
                f"the prepared split of {self.dataset_name}; filter in dataset_prep instead, as by "
                "prepare: {core: 5, drop_repeats: true}."
            )

    def _remap_ID_all(self) -> None:
        """Number users and items by training rows first; every other token as RecBole does."""
        split = self.inter_feat[SPLIT_FIELD]
        self.split_of_row = pd.Index(SPLITS).get_indexer(split).astype(np.int8)
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
