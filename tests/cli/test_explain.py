"""The command that explains items."""

from __future__ import annotations

import matplotlib.image
import pytest

from recbole_delta import Recommender
from recbole_delta.cli.main import main


@pytest.fixture
def trained(tiny, train):
    return train(tiny, epochs=3, learning_rate=0.03)[0].checkpoint


# -- the command ---------------------------------------------------------------------------


def test_the_command_prints_tables_and_draws(trained, tmp_path, capsys):
    to = tmp_path / "pictures"
    main(["explain", trained, "i1", "-k", "3", "i2", "--to", str(to)])
    shown = capsys.readouterr().out
    explained = Recommender(trained).spaces().explain("i1", 3)
    assert shown.startswith(f"{explained}\n\ni2: ")
    head, header, _, first, *_ = shown.splitlines()
    near = explained.by_content[0]
    assert head.startswith(f"i1: {explained.train_count} training rows, ‖d‖ 0.")
    assert head.endswith(f"{explained.in_common} of 3 neighbours in common")
    assert header.split("  ")[0] == "by content"
    assert first.split()[:2] == [near.item, f"{near.cosine:.3f}"]
    assert sorted(path.name for path in to.iterdir()) == ["drift.png", "spaces.png"]
    for path in to.iterdir():
        height, width, _ = matplotlib.image.imread(path).shape
        assert width > height > 400
    main(["explain", trained, "--to", str(to)])
    assert capsys.readouterr().out.startswith(f"{to / 'drift.png'}: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Say which items to explain, or with --to DIR"),
        (["i1", "who", "--to", "pictures"], "there is no item 'who'"),
        (["i1", "-k", "0"], "k must be at least 1"),
        (["--to", "file/pictures"], "Cannot write file/pictures/drift.png"),
    ],
)
def test_the_command_refuses_in_one_sentence(trained, tmp_path, capsys, arguments, message):
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as stopped:
        main(["explain", trained, *arguments])
    shown = capsys.readouterr()
    assert stopped.value.code == 2
    assert shown.err.startswith("error: ")
    assert message in shown.err
    assert shown.out == ""
    assert not (tmp_path / "pictures").exists()


def test_without_a_warm_item_there_is_no_drift_to_draw(trained, tmp_path, capsys):
    recommender = Recommender(trained)
    recommender.remove_items(sorted(set(recommender.items) - set(recommender.cold_items)))
    recommender.save(tmp_path / "season.safetensors")
    with pytest.raises(SystemExit):
        main(["explain", str(tmp_path / "season.safetensors"), "--to", str(tmp_path / "pictures")])
    assert "No warm item is recommended any more" in capsys.readouterr().err
