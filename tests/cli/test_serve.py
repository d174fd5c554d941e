"""The commands that recommend from a checkpoint and change its items."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import polars as pl
import pytest
import torch
from support.served import content_of

import recbole_delta
from dataset_prep.format.content import write_content
from recbole_delta import Recommender
from recbole_delta.cli import json_lines
from recbole_delta.cli.json_lines import CHUNK, opened
from recbole_delta.cli.main import main


def standard_input(text):
    return io.TextIOWrapper(io.BytesIO(text.encode()))


def answers(arguments, capsys):
    """What the command prints, line by line, and what it says on standard error."""
    main(["recommend", *map(str, arguments)])
    shown = capsys.readouterr()
    return [json.loads(line) for line in shown.out.splitlines()], shown.err


def named(answer):
    """The items of an answer; the last bits of scores depend on which lines are read together."""
    return [each["item"] for each in answer["items"]]


# -- the command ---------------------------------------------------------------------------


def test_the_command_adds_and_recommends(tiny, trained, tmp_path, capsys, monkeypatch):
    write_content(tmp_path / "new.safetensors", ["new"], content_of(tiny, ["i5"]) + 0.01)
    more = str(tmp_path / "more.safetensors")
    main(
        [
            "add",
            trained,
            "--to",
            more,
            "--vectors",
            str(tmp_path / "new.safetensors"),
            "--remove",
            "i9",
        ]
    )
    assert "1 item added" in capsys.readouterr().out
    lines = [{"history": ["i1", "new"], "user": "u"}, {"history": ["i2"], "at": 5}]
    text = "\n".join(map(json.dumps, lines)) + "\n\n"
    (tmp_path / "lines.jsonl").write_text(text)
    (tmp_path / "deny.txt").write_text("i2\ni3\n")
    main(
        [
            "recommend",
            more,
            str(tmp_path / "lines.jsonl"),
            "-k",
            "3",
            "--deny",
            str(tmp_path / "deny.txt"),
        ]
    )
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    recommender = Recommender(more)
    expected = recommender.recommend([each["history"] for each in lines], 3, deny=["i2", "i3"])
    assert [each["items"] for each in found] == [[vars(e) for e in each] for each in expected]
    assert (found[0]["user"], found[1]["at"]) == ("u", 5)
    monkeypatch.setattr("sys.stdin", standard_input(text))
    main(["recommend", more, "--cold-only"])
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {item["item"] for each in found for item in each["items"]} <= set(recommender.cold_items)


def test_lists_of_ids_may_have_the_marks_of_other_systems(trained, tmp_path, capsys, monkeypatch):
    (tmp_path / "ids.txt").write_bytes(b"\xef\xbb\xbfi8\r\n\r\ni9\r\n\r\n")
    for option, found in (("--allow", {"i8", "i9"}), ("--deny", set())):
        monkeypatch.setattr("sys.stdin", standard_input('{"history": ["i1"]}'))
        main(["recommend", trained, "-k", "99", option, str(tmp_path / "ids.txt")])
        items = {each["item"] for each in json.loads(capsys.readouterr().out)["items"]}
        assert items & {"i8", "i9"} == found
        assert items <= found or option == "--deny"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["add"], "Say what to add (--items, --audio, --vectors) or which ids to --remove"),
        (["add", "--remove", "i1"], "Cannot write ., which is where you are; give it a name"),
        (["export"], "Cannot write ., which is where you are; give it a name"),
    ],
)
def test_a_command_with_nothing_to_do_or_nowhere_to_write_says_so(
    trained, tmp_path, monkeypatch, capsys, command, message
):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(SystemExit):
        main([command[0], str(tmp_path / trained), "--to", ".", *command[1:]])
    assert message in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.subprocess
def test_a_reader_that_has_read_enough_is_no_error(trained, tmp_path):
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"history": ["i1", "i2"]}\n' * 5000)
    command = [Path(sys.executable).with_name("recbole-delta"), "recommend", trained, lines]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert json.loads(process.stdout.readline())["items"]
    process.stdout.close()
    assert b"Error" not in process.stderr.read()
    assert process.wait() == 0


BAD_LINES = [
    ("{", "line 2 is not JSON"),
    ("[1]", "line 2 must be like"),
    ('{"history": "i1"}', "line 2 must be like"),
    ('{"history": []}', "line 2: history must be a list of item ids, and not empty"),
    ('{"history": ["who"]}', "line 2: history: there is no item 'who'"),
    ('{"history": [3]}', "line 2: history: ids are texts, in quotation marks, but one is 3"),
    ("[" * 100_000, "line 2 is not JSON"),
    (b"\xff", "line 2 is not JSON"),
]


@pytest.mark.parametrize(("line", "message"), BAD_LINES)
def test_a_line_that_cannot_be_served_is_answered_by_its_error(
    trained, tmp_path, capsys, line, message
):
    good = b'{"history": ["i1", "i2"]}\n'
    line = line if isinstance(line, bytes) else line.encode()
    (tmp_path / "good.jsonl").write_bytes(good * 2)
    (tmp_path / "lines.jsonl").write_bytes(good + line + b"\n" + good)
    expected, said = answers([trained, tmp_path / "good.jsonl"], capsys)
    assert said == ""
    [first, bad, last], said = answers([trained, tmp_path / "lines.jsonl"], capsys)
    assert [named(first), named(last)] == [*map(named, expected)]
    assert message in bad["error"]
    assert "items" not in bad
    assert said == "warning: 1 of 3 lines could not be served; their answers say why.\n"


def test_what_else_stands_in_a_line_with_an_error_comes_back(trained, tmp_path, capsys):
    lines = [{"history": ["who"], "user": "u"}, {"history": ["i1"], "error": "of before"}]
    (tmp_path / "lines.jsonl").write_text("\n".join(map(json.dumps, lines)))
    [bad, good], _ = answers([trained, tmp_path / "lines.jsonl"], capsys)
    assert (bad["user"], "history" in bad) == ("u", False)
    assert good.keys() == {"items"}


def test_a_line_that_cannot_be_served_has_no_items_of_its_own(trained, tmp_path, capsys):
    lines = [{"history": ["who"], "items": [1], "error": "?"}, {"history": ["i1"], "items": [1]}]
    (tmp_path / "lines").write_text("\n".join(map(json.dumps, lines)))
    (refused, served), _ = answers([trained, tmp_path / "lines", "-k", "2"], capsys)
    assert refused.keys() == {"error"}
    assert len(named(served)) == 2


def test_what_is_removed_again_and_again_is_all_removed(trained, tmp_path, capsys):
    to = str(tmp_path / "less.safetensors")
    main(["add", trained, "--to", to, "--remove", "i1", "i2", "--remove", "i3", "--remove=i4"])
    assert not {"i1", "i2", "i3", "i4"} & set(Recommender(to).items)


def test_an_unknown_id_to_remove_is_refused_before_anything_is_encoded(trained, tmp_path, capsys):
    to = tmp_path / "new" / "less.safetensors"
    with pytest.raises(SystemExit):
        main(["add", trained, "--to", str(to), "--items", "no.csv", "--remove", "i1", "who"])
    shown = capsys.readouterr()
    assert shown.err == "error: --remove: there is no item 'who'.\n"
    assert not shown.out
    assert not to.parent.exists()


def test_input_of_which_nothing_can_be_served_is_an_error(trained, tmp_path, capsys):
    (tmp_path / "lines.jsonl").write_text('{"history": ["who"]}\n{"history": []}\n')
    with pytest.raises(SystemExit) as stop:
        main(["recommend", trained, str(tmp_path / "lines.jsonl")])
    shown = capsys.readouterr()
    assert stop.value.code == 2
    assert len(shown.out.splitlines()) == 2
    assert shown.err.startswith("error: No line could be served, first ")
    assert "line 1: history: there is no item 'who'; add it first." in shown.err
    (tmp_path / "empty.jsonl").write_text("\n\n")
    assert answers([trained, tmp_path / "empty.jsonl"], capsys) == ([], "")


def test_unknown_ids_of_a_history_may_be_left_out(trained, tmp_path, capsys):
    lines = [["i1", "who", "i2", "what"], ["who"], ["i1", "i2"], [3, "i1"]]
    text = "".join(json.dumps({"history": each}) + "\n" for each in lines)
    (tmp_path / "lines.jsonl").write_text(text)
    found, said = answers([trained, tmp_path / "lines.jsonl", "--skip-unknown"], capsys)
    assert found[0] == found[2]
    assert "line 2: history must be a list of item ids, and not empty" in found[1]["error"]
    assert "ids are texts" in found[3]["error"]
    assert said.splitlines() == [
        "warning: 3 unknown ids left out of histories.",
        "warning: 2 of 4 lines could not be served; their answers say why.",
    ]


@pytest.mark.parametrize("option", ["--allow", "--deny"])
def test_unknown_ids_of_a_list_are_counted_and_passed_over(trained, tmp_path, capsys, option):
    (tmp_path / "lines.jsonl").write_text('{"history": ["i1", "i2"]}\n')
    for name, ids in (("known", "i8\ni9\n"), ("more", "who\ni8\nwhat\ni9\n")):
        (tmp_path / name).write_text(ids)
    base = [trained, tmp_path / "lines.jsonl", "-k", "99", option]
    expected, said = answers([*base, tmp_path / "known"], capsys)
    assert said == ""
    found, said = answers([*base, tmp_path / "more"], capsys)
    assert found == expected
    assert said == f"warning: {option} {tmp_path / 'more'}: 2 of 4 ids are unknown.\n"


@pytest.mark.slow
@pytest.mark.subprocess
def test_a_pipe_is_answered_before_its_input_ends(trained):
    command = [Path(sys.executable).with_name("recbole-delta"), "recommend", trained, "-k", "1"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        for history in (["i1"], ["who"], ["i1", "i2"]):  # each waits for the answer before
            process.stdin.write(json.dumps({"history": history}) + "\n")
            answer = json.loads(process.stdout.readline())
            assert ("error" in answer) == (history == ["who"])
        process.stdin.write('{"history": ["i1"]}')  # a last line without its end
        process.stdin.close()
        assert json.loads(process.stdout.readline())["items"]
    assert process.returncode == 0


def test_lines_longer_than_a_read_and_many_of_them_come_whole_and_in_order(tmp_path):
    lines = [b"x" * size for size in (5, CHUNK - 7, 1, 3 * CHUNK, 0, CHUNK, 2)] + [
        b"y%d" % n for n in range(9999)
    ]
    (tmp_path / "lines").write_bytes(b"\n".join(lines))
    with opened(str(tmp_path / "lines")) as source:
        found = [each for batch in source.batches() for each in batch]
    expected = [
        (f"{tmp_path / 'lines'}, line {n}", each) for n, each in enumerate(lines, 1) if each
    ]
    assert found == expected


def test_a_pipe_that_does_not_block_is_waited_for(trained, capsys, monkeypatch):
    there, given = os.pipe()
    os.set_blocking(there, False)
    monkeypatch.setattr("sys.stdin", os.fdopen(there))
    later = threading.Timer(0.5, lambda: (os.write(given, b'{"history": ["i1"]}'), os.close(given)))
    later.start()
    [answer], _ = answers([trained, "-k", "1"], capsys)
    later.join()
    assert len(answer["items"]) == 1


@pytest.mark.parametrize(
    ("stream", "message"),
    [("stdin", "Standard input is closed; name a file"), ("stdout", "standard output is closed")],
)
def test_streams_that_are_closed_are_refused(trained, capsys, monkeypatch, stream, message):
    monkeypatch.setattr(f"sys.{stream}", None)
    with pytest.raises(SystemExit):
        main(["recommend", trained])
    monkeypatch.undo()
    assert message in capsys.readouterr().err


def test_a_terminal_without_a_letter_gets_its_code(trained, monkeypatch):
    bytes_shown = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(bytes_shown, encoding="latin-1"))
    main(["explain", trained, "i1"])
    sys.stdout.flush()
    assert b"\\u2016d\\u2016" in bytes_shown.getvalue()


def test_many_long_answers_are_held_a_part_at_a_time(trained, tmp_path, capsys, monkeypatch):
    lines = [f'{{"history": ["i{n}"]}}' for n in range(7)]
    (tmp_path / "lines").write_text("\n".join(lines))
    whole, _ = answers([trained, tmp_path / "lines", "-k", "5"], capsys)
    monkeypatch.setattr(json_lines, "HELD", 12)
    calls = []
    recommend = Recommender.recommend
    monkeypatch.setattr(
        Recommender, "recommend", lambda *a, **k: calls.append(len(a[1])) or recommend(*a, **k)
    )
    parts, _ = answers([trained, tmp_path / "lines", "-k", "5"], capsys)
    assert calls == [2, 2, 2, 1]
    assert list(map(named, parts)) == list(map(named, whole))


def test_what_goes_wrong_with_an_answer_is_no_fault_of_the_file_that_is_read(tmp_path):
    (tmp_path / "lines").write_text("{}")
    with pytest.raises(OSError, match="^No space left"), opened(str(tmp_path / "lines")):
        raise OSError("No space left")


def test_standard_input_is_read_once(trained, tmp_path, capsys, monkeypatch):
    new = Recommender(trained).cold_items[0]
    lines = [json.dumps({"history": each}) for each in (["i1", new], ["i2", "i3"], ["i4", "i5"])]
    opens = []

    def counted(path):
        opens.append(path)
        return opened(path)

    monkeypatch.setattr("recbole_delta.cli.serve.opened", counted)
    monkeypatch.setattr("sys.stdin", standard_input("\n".join(lines)))
    main(["warm-up", trained, "--to", str(tmp_path / "warm.safetensors")])
    assert opens == [None]
    assert "got deltas" in capsys.readouterr().out


@pytest.mark.slow
def test_new_texts_are_encoded_as_the_old_ones(ml_100k, tmp_path, capsys, monkeypatch):
    """An item that is there, added under another id by its text, gets the same row."""
    settings = {"data_path": str(ml_100k.parent), "checkpoint_dir": str(tmp_path / "saved"),
                "epochs": 1, "show_progress": False, "state": "ERROR", "hidden_size": 16}  # fmt: skip
    result = recbole_delta.run("SASRecDelta", ml_100k.name, settings=settings)
    items = pl.read_csv(ml_100k / f"{ml_100k.name}.item", separator="\t", infer_schema=False)
    items = items.rename({name: name.split(":")[0] for name in items.columns})
    cold = items.filter(pl.col("is_cold") == "1").head(3)
    again = cold.with_columns(item_id=pl.lit("again-") + pl.col("item_id"))
    again.write_csv(tmp_path / "new.csv")
    more = str(tmp_path / "more.safetensors")
    monkeypatch.chdir("/proc")  # where nobody may write
    main(["add", result.checkpoint, "--to", more, "--items", str(tmp_path / "new.csv")])
    monkeypatch.chdir(tmp_path)
    recommender = Recommender(more)
    row = {token: n for n, token in enumerate(recommender.known_items, 1)}
    weight = recommender._embedding.weight
    for token in cold["item_id"]:
        torch.testing.assert_close(
            weight[row[f"again-{token}"]], weight[row[token]], atol=1e-5, rtol=0
        )
    with pytest.raises(SystemExit):
        main(["add", result.checkpoint, "--to", more, "--vectors", str(tmp_path / "new.csv")])
    assert "described by text: new ones need --items FILE" in capsys.readouterr().err


def test_ctrl_c_says_how_many_lines_are_answered(trained, capsys, monkeypatch):
    def stopped(source):
        yield [("line 1", b'{"history": ["i1"]}')]
        raise KeyboardInterrupt

    monkeypatch.setattr(json_lines.Source, "batches", stopped)
    with pytest.raises(SystemExit) as ended:
        main(["recommend", trained])
    assert ended.value.code == 130
    shown = capsys.readouterr()
    assert shown.err.strip() == "Stopped; 1 line answered."
    assert len(shown.out.splitlines()) == 1
