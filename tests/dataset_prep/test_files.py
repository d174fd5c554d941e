"""Files and folders that are there whole or not at all."""

from __future__ import annotations

import sys

import pytest

from dataset_prep import files
from dataset_prep.errors import DeltaError
from dataset_prep.files import replacing, replacing_folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("in_one_step", [True, False])
def test_a_folder_takes_the_place_of_another(tmp_path, monkeypatch, in_one_step):
    if not in_one_step:
        monkeypatch.setattr(sys, "platform", "elsewhere")
    for content in ("old", "new"):
        with replacing_folder(tmp_path / "a") as folder:
            (folder / content).write_text(content)
    assert names(tmp_path) == ["a"]
    assert names(tmp_path / "a") == ["new"]


def test_a_block_that_fails_leaves_what_was_there(tmp_path):
    with replacing(tmp_path / "file") as temporary:
        temporary.write_text("old")
    with replacing_folder(tmp_path / "folder") as temporary:
        (temporary / "old").touch()

    def interrupted(context, path):
        with context(path) as temporary:
            if context is replacing:
                temporary.write_text("ne")
            raise KeyboardInterrupt

    for context, name in ((replacing, "file"), (replacing_folder, "folder")):
        with pytest.raises(KeyboardInterrupt):
            interrupted(context, tmp_path / name)
    assert names(tmp_path) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path / "folder") == ["old"]


def test_a_link_is_replaced_and_what_it_led_to_stays(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis").touch()
    (tmp_path / "a").symlink_to("mine")
    with replacing_folder(tmp_path / "a") as folder:
        (folder / "new").touch()
    assert names(tmp_path) == ["a", "mine"]
    assert (names(tmp_path / "a"), names(tmp_path / "mine")) == (["new"], ["thesis"])


def test_a_file_is_no_place_for_a_folder(tmp_path):
    (tmp_path / "a").write_text("mine")
    with pytest.raises(DeltaError, match="a is a file"), files.replacing_folder(tmp_path / "a"):
        pass
    assert (tmp_path / "a").read_text() == "mine"
